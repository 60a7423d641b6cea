package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"firebase.google.com/go/v4/messaging"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/api/option"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// project is what all contenders send as. No one sends an access token: HPACK makes a byte of it in all clients alike.
const project = "belfry-bench"

// What is sent: a message of ordinary length to a token of ordinary length.
const (
	title  = "The bells are ringing"
	text   = "A message of ordinary length, as a shop or a newspaper sends it."
	inJSON = `{"notification":{"title":"` + title + `","body":"` + text + `"},"data":{"screen":"offers","id":"4711"},` +
		`"android":{"priority":"NORMAL"}}`
)

// token is a registration token of usual length, made with one allocation so as not to be what is measured.
func token(i int) string {
	const prefix, length = "bench-", 152
	var b [length]byte
	for at := copy(b[:], prefix); at < length; at++ {
		b[at] = '0'
	}
	for at := length - 1; i > 0; at-- {
		b[at] = byte('0' + i%10)
		i /= 10
	}
	return string(b[:])
}

// lot is one way to send, ready to be measured.
type lot struct {
	each  int                                           // notifications of one call
	calls int                                           // calls under way at a time
	send  func(ctx context.Context, from, to int) error // to the recipients from..to-1; for concurrent use
	close func()
}

// contend sends -n notifications in the way that -as says, and prints what that took as JSON.
func contend(ctx context.Context, o options, out io.Writer) error {
	open := map[string]func(context.Context, options) (lot, error){plainName: plain, senderName: sender, officialName: official}[o.as]
	if open == nil {
		return fmt.Errorf("bench: no contender %q", o.as)
	}
	l, err := open(ctx, o)
	if err != nil {
		return fmt.Errorf("bench: %s: %w", o.as, err)
	}
	defer l.close()
	if err := l.all(ctx, min(o.Recipients, o.InFlight)); err != nil { // opens the connections
		return fmt.Errorf("bench: %s: %w", o.as, err)
	}
	runtime.GC()
	before, begun := ownUsage(), time.Now()
	if err := l.all(ctx, o.Recipients); err != nil {
		return fmt.Errorf("bench: %s: %w", o.as, err)
	}
	took := time.Since(begun)
	return json.NewEncoder(out).Encode(ownUsage().since(before).sample(o.Recipients, took))
}

// all sends n notifications.
func (l lot) all(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range l.calls {
		callers.Go(func() {
			for ctx.Err() == nil {
				to := int(next.Add(int64(l.each)))
				from := to - l.each
				if from >= n {
					return
				}
				if err := l.send(ctx, from, min(to, n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	callers.Wait()
	return context.Cause(ctx)
}

// plain is net/http as it comes, with one body for all.
func plain(_ context.Context, o options) (lot, error) {
	tpl, err := message.NewTemplate([]byte(inJSON), 0)
	if err != nil {
		return lot{}, err
	}
	body := tpl.Append(nil, string(push.KindToken), token(0), time.Time{}, time.Time{})
	transport := &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: o.InFlight}
	hc := &http.Client{Transport: transport}
	url := o.url + "/v1/projects/" + project + "/messages:send"
	return lot{each: 1, calls: o.InFlight, close: transport.CloseIdleConnections, send: func(ctx context.Context, _, _ int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := hc.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if res.StatusCode != http.StatusOK {
			err = errors.Join(err, fmt.Errorf("answer %s", res.Status))
		}
		if res.ProtoMajor != 2 {
			err = errors.Join(err, fmt.Errorf("the answer came by %s", res.Proto))
		}
		return errors.Join(err, res.Body.Close())
	}}, nil
}

// sender is Belfry's own, on 14 connections: a dispatcher has 15 unless it is told otherwise.
func sender(ctx context.Context, o options) (lot, error) {
	tpl, err := message.NewTemplate([]byte(inJSON), 0)
	if err != nil {
		return lot{}, err
	}
	const connections = 14
	cfg := fcm.Config{Endpoint: o.url + "/v1", Project: project, Connections: connections}
	s, err := fcm.New(ctx, cfg, zap.NewNop(), fcm.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return lot{}, err
	}
	bodies := sync.Pool{New: func() any { return new([]byte) }}
	return lot{
		each: 1, calls: o.InFlight,
		close: func() { _ = s.Close(context.WithoutCancel(ctx)) },
		send: func(ctx context.Context, i, _ int) error {
			body, _ := bodies.Get().(*[]byte)
			defer bodies.Put(body)
			*body = tpl.Append((*body)[:0], string(push.KindToken), token(i), time.Time{}, time.Time{})
			_, err := s.Send(ctx, *body)
			return err
		},
	}, nil
}

// official is Google's client with the transport that it makes itself. It has 50 requests of a call under way at a
// time, and takes 500 recipients a call.
func official(ctx context.Context, o options) (lot, error) {
	client, err := newOfficial(ctx, option.WithEndpoint(o.url+"/v1"), option.WithoutAuthentication())
	if err != nil {
		return lot{}, err
	}
	const each, ofCall = 500, 50
	return lot{each: each, calls: (o.InFlight + ofCall - 1) / ofCall, close: func() {}, send: func(ctx context.Context, from, to int) error {
		m := &messaging.MulticastMessage{
			Notification: &messaging.Notification{Title: title, Body: text},
			Data:         map[string]string{"screen": "offers", "id": "4711"},
			Android:      &messaging.AndroidConfig{Priority: "normal"},
		}
		for i := from; i < to; i++ {
			m.Tokens = append(m.Tokens, token(i)) //nolint:staticcheck // what devices have
		}
		answers, err := client.SendEachForMulticast(ctx, m)
		if err != nil || answers.FailureCount == 0 {
			return err
		}
		for _, a := range answers.Responses {
			err = errors.Join(err, a.Error)
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%d of %d failed: %s", answers.FailureCount, to-from, first)
	}}, nil
}

// newOfficial calls messaging.NewClient, whose configuration type is internal to the module: the public way leads
// through the module's root package, which links Firestore, Cloud Storage and gRPC for nothing.
func newOfficial(ctx context.Context, opts ...option.ClientOption) (*messaging.Client, error) {
	open := reflect.ValueOf(messaging.NewClient)
	conf := reflect.New(open.Type().In(1).Elem())
	conf.Elem().FieldByName("ProjectID").SetString(project)
	conf.Elem().FieldByName("Version").SetString("4.21.0")
	conf.Elem().FieldByName("Opts").Set(reflect.ValueOf(opts))
	out := open.Call([]reflect.Value{reflect.ValueOf(ctx), conf})
	if err, failed := reflect.TypeAssert[error](out[1]); failed {
		return nil, err
	}
	client, ok := reflect.TypeAssert[*messaging.Client](out[0])
	if !ok {
		return nil, errors.New("messaging.NewClient returned something else")
	}
	return client, nil
}
