package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/wire"
)

// briefHub takes listeners and stops at once, so that every route ends.
type briefHub struct{}

// Listen implements [following.Hub].
func (briefHub) Listen(ctx context.Context, s tail.Sight, f tail.Filter, from string) (*tail.Listener, error) {
	docs := &documenttest.Memory{}
	hub := tail.NewHub(tail.NewSource(docs, zap.NewNop(), testNow), docs, zap.NewNop(), testNow)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		hub.Run(ctx)
	}()
	l, err := hub.Listen(ctx, s, f, from)
	hub.Stop()
	cancel()
	<-ended
	return l, err
}

// Whoever asks for what it may not see is refused, in words, and whoever may is let in.
func TestTailPermissions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, query string
		may         access.Set
		app         string
		status      int
	}{
		{"all that it may", "", access.SetOf(access.PermRead), "", http.StatusOK},
		{"audit", "?type=audit", access.SetOf(access.PermRead, access.PermAudit), "", http.StatusOK},
		{"audit without leave", "?type=accepted&type=audit", access.SetOf(access.PermRead), "", http.StatusForbidden},
		{"devices without leave", "?type=quarantined", access.SetOf(access.PermRead), "", http.StatusForbidden},
		{"its tenant", "?tenant=acme", access.SetOf(access.PermRead), "", http.StatusOK},
		{"another tenant", "?tenant=zoo", access.SetOf(access.PermRead), "", http.StatusForbidden},
		{"another tenant, for the operator", "?tenant=zoo", access.AllPermissions(), "", http.StatusOK},
		{"its app", "?app=shop", access.SetOf(access.PermRead), "shop", http.StatusOK},
		{"another app", "?app=other", access.SetOf(access.PermRead), "shop", http.StatusForbidden},
		{"a label without a name", "?label=%3Dx", access.SetOf(access.PermRead), "", http.StatusUnprocessableEntity},
		{"classes and labels", "?class=permanent&label=team%3Dads&code=fcm", access.SetOf(access.PermRead), "", http.StatusOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			who := callerOf{Tenant: "acme", App: c.app, Name: "k", May: c.may}
			g := setup(t, func(cfg *Config) { cfg.Auth = who })
			if got := g.Do(t, http.MethodGet, "/v1/events"+c.query, ""); got.Code != c.status {
				t.Errorf("%d, want %d: %s", got.Code, c.status, got.Body)
			}
		})
	}
}

// callerOf lets every request in as one caller.
type callerOf access.Caller

// Authenticate implements [door.Authenticator].
func (c callerOf) Authenticate(context.Context, access.Presented) (access.Caller, error) {
	return access.Caller(c), nil
}

// The client's kinds are those that can be asked for.
func TestTailKindsOfTheClient(t *testing.T) {
	t.Parallel()
	var want []client.TailKind
	for _, k := range tail.Kinds() {
		want = append(want, client.TailKind(k))
	}
	if diff := cmp.Diff(want, client.TailKinds()); diff != "" {
		t.Errorf("(-server +client):\n%s", diff)
	}
}

// The document describes every event of the stream, and its sample has one of each that is told there only.
func TestTailEventsAreDescribed(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *Config) { cfg.Events = briefHub{} })
	stream := g.Spec.Doc.Paths["/v1/events"].Get.Responses["200"].Content[door.TypeEvents]
	if got, _ := stream.Schema.Extensions["contentSchema"].(*huma.Schema); got == nil || got.Ref != door.RefTo("TailEvent").Ref {
		t.Errorf("an event is %+v", stream.Schema.Extensions)
	}
	all := g.Spec.Schemas.Map()
	var types []string
	for _, s := range all["TailEvent"].Properties["data"].OneOf[1:] {
		types = append(types, g.Spec.Schemas.SchemaFromRef(s.Ref).Properties["type"].Enum[0].(string))
	}
	for _, d := range slices.Concat(wire.Outgoing(), wire.Live()) {
		if !slices.Contains(types, d.EventType()) {
			t.Errorf("%s is not described", d.EventType())
		}
	}
	sample, _ := stream.Example.(string)
	for i, d := range wire.Live() {
		if wire.LiveSamples()[i].Data.EventType() != d.EventType() || !strings.Contains(sample, `"type":"`+d.EventType()+`"`) {
			t.Errorf("%s has no sample", d.EventType())
		}
	}
	for _, s := range wire.LiveSamples() {
		e, err := s.Event()
		if err != nil {
			t.Fatal(err)
		}
		body, err := wire.EncodeEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(reflect.TypeOf(s.Data).String(), "wire.")
		g.validSample(t, e.Type, all[name+"Event"], huma.ModeReadFromServer, json.RawMessage(body))
		g.validSample(t, e.Type, all[name+"Data"], huma.ModeReadFromServer, e.Data)
	}
}
