package door_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// The paths of the rig.
const (
	things = "/things"
	start  = "/things/a/start"
	lines  = "/lines"
)

// rig is a door with a few routes, which do what the test says.
type rig struct {
	*doortest.Caller

	run     func(ctx context.Context) error // what the routes but lines do
	read    string                          // what lines read last
	answers *doortest.Answers
	logs    *observer.ObservedLogs
}

func setup(tb testing.TB, change ...func(*door.Config)) *rig {
	tb.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	g := &rig{logs: logs, answers: &doortest.Answers{}, run: func(context.Context) error { return nil }}
	cfg := door.Config{
		Answers: g.answers, Auth: access.Keys{}, Pages: doortest.OwnPages(tb), Registry: prometheus.NewRegistry(), Log: zap.New(core),
	}
	for _, f := range change {
		f(&cfg)
	}
	g.Caller = doortest.New(tb, cfg, g.table())
	return g
}

func (g *rig) table() []*door.Route {
	object := reflect.TypeFor[map[string]any]()
	verb := func(name string) *door.Route {
		return &door.Route{
			Method: http.MethodPost, Path: "/things/{id}/" + name, Name: name, Needs: access.PermSend, About: "Do it once.",
			Once: door.KeyByStore, Gives: door.OK(object), Codes: []door.Code{door.CodeNotFound, door.CodeState},
			Run: door.Replying(door.Once(idempotency.Lease, g.serve)),
		}
	}
	return []*door.Route{
		verb("start"), verb("stop"),
		{
			Method: http.MethodGet, Path: things, Name: "list",
			Needs: access.PermSend, About: "List.", Params: door.PageParams(), Gives: door.OK(object),
			Run: door.Replying(g.serve),
		},
		{
			Method: http.MethodPost, Path: things, Name: "create",
			Needs: access.PermSend, About: "Read a body.", Takes: []string{door.TypeJSON}, Body: object,
			Gives: door.OK(object), Run: door.Replying(func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
				if _, err := x.ReadBody(); err != nil {
					return door.Reply{}, err
				}
				return g.serve(ctx, x)
			}),
		},
		{
			Method: http.MethodPost, Path: lines, Name: "upload",
			Needs: access.PermSend, About: "Read lines.", Takes: append(door.NDJSONTypes(), door.TypeCSV),
			Body:  object,
			Gives: door.OK(object), Run: door.Unhurried(g.upload),
		},
	}
}

// serve answers with the time, so that no two answers are alike.
func (g *rig) serve(ctx context.Context, _ *door.Exchange) (door.Reply, error) {
	if err := g.run(ctx); err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: map[string]any{"at": time.Now()}}, nil
}

func (g *rig) upload(_ context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.Stream()
	if err != nil {
		return door.Reply{}, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	g.read = string(text)
	if err == nil {
		return door.Reply{Status: http.StatusOK, Body: map[string]any{"bytes": len(text)}}, nil
	}
	if r := body.Broken(); r != nil {
		r.Detail += fmt.Sprintf(", after %d bytes", len(text))
		return door.Reply{}, r
	}
	return door.Reply{}, err
}
