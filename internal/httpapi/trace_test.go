package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// tracer answers with one trace, and remembers for whom.
type tracer struct {
	Closeups

	key   report.Key
	what  report.Choice
	limit int
	out   report.Trace
	err   error
}

func (f *tracer) Chosen(_ context.Context, _ string, _ push.ID, what report.Choice, limit int) (report.Trace, error) {
	f.what, f.limit = what, limit
	return f.out, f.err
}

func (f *tracer) Trace(_ context.Context, _ string, _ push.ID, key report.Key) (report.Trace, error) {
	f.key = key
	return f.out, f.err
}

const tracePath = "/v1/notifications/" + ntfID + "/deliveries/"

func TestTrace(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.reports.closeups = &tracer{out: report.Trace{
		View: report.View{Notification: push.Notification{ID: ntfID, AcceptedAt: testNow()}, State: push.StateCompleted},
		Deliveries: []report.Traced{{
			Delivery: report.Delivery{Chunk: 2, Index: 7, Code: push.CodeSent, Hash: 1, DeviceID: "d-1", Attempts: []ledger.Attempt{
				{Attempt: 1, Code: push.CodeFCMUnavailable, At: testNow(), Latency: 40 * time.Millisecond, Detail: "overloaded"},
				{Attempt: 2, Code: push.CodeSent, At: testNow().Add(time.Minute), Latency: 0, Detail: "0:1"},
			}},
			State: ledger.StateClosed, Claims: 2, Saved: testNow(),
		}},
		Notes: []string{"n"},
	}}
	var got client.Trace
	doortest.Decode(t, g.Do(t, "GET", tracePath+"d-1", "").Want(t, http.StatusOK, "").Body.Bytes(), &got)
	at, later := testNow(), testNow().Add(time.Minute)
	want := client.Trace{Notification: ntfID, State: "completed", Notes: []string{"n"}, Deliveries: []client.TracedDelivery{{
		DeviceID: "d-1", ChunkState: "closed", Meaning: "FCM accepted the message.", TookMS: new(60_000.0),
		Delivery: client.Delivery{
			Chunk: 2, Index: 7, Class: "sent", Code: "sent", AddressHash: "0000000000000001", DeviceID: "d-1",
			Attempts: []client.Attempt{
				{Attempt: 1, At: at, Code: "fcm.unavailable", LatencyMS: 40, Detail: "overloaded"},
				{Attempt: 2, At: later, Code: "sent", Detail: "0:1"},
			},
		},
		Steps: []client.TraceStep{
			{Step: "accepted", At: &at},
			{Step: "expanded", Detail: "chunk 2, row 7"},
			{Step: "attempt", At: &at, Attempt: 1, Class: "retryable", Code: "fcm.unavailable", LatencyMS: new(40.0), Detail: "overloaded"},
			{Step: "attempt", At: &later, Attempt: 2, Class: "sent", Code: "sent", LatencyMS: new(0.0), Detail: "0:1"},
			{Step: "outcome", At: &later, Class: "sent", Code: "sent"},
			{
				Step: "event", At: &at,
				Detail: "the chunk was written with all its outcomes, then push.delivery.outcome.v1 went out",
			},
		},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The room is asked for what the parameters say, and within bounds.
func TestTraceChosen(t *testing.T) {
	t.Parallel()
	g := setup(t)
	f := &tracer{out: report.Trace{View: report.View{Notification: push.Notification{ID: ntfID}, State: push.StateSending}}}
	g.reports.closeups = f
	const path = "/v1/notifications/" + ntfID + "/traces"
	for query, want := range map[string]struct {
		what  report.Choice
		limit int
	}{"": {report.ChoiceSlowest, 5}, "?of=failed&limit=20": {report.ChoiceFailed, 20}} {
		if g.Do(t, "GET", path+query, "").Want(t, http.StatusOK, ""); f.what != want.what || f.limit != want.limit {
			t.Errorf("%q asks for %d %s", query, f.limit, f.what)
		}
	}
	for _, query := range []string{"?of=best", "?limit=0", "?limit=21"} {
		g.Do(t, "GET", path+query, "").Want(t, http.StatusUnprocessableEntity, "invalid")
	}
	f.err = push.ErrNotFound
	g.Do(t, "GET", path, "").Want(t, http.StatusNotFound, "not_found")
}

// A line that was refused is told with its reason.
func TestTraceRefused(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.reports.closeups = &tracer{out: report.Trace{
		View:    report.View{Notification: push.Notification{ID: ntfID}, State: push.StateSending},
		Refused: &report.Invalid{Line: 17, Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}},
	}}
	var got client.Trace
	doortest.Decode(t, g.Do(t, "GET", tracePath+"line:17", "").Want(t, http.StatusOK, "").Body.Bytes(), &got)
	want := client.Trace{
		Notification: ntfID, State: "sending", Deliveries: []client.TracedDelivery{},
		Refused: &client.LineError{Line: 17, Pointer: "/token", Code: "value", Detail: "must not be empty"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A recipient's text reaches the room as it was, whatever characters it has,
// and what the room refuses becomes a problem that does not repeat it.
func TestTraceKeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]report.Key{
		"abc:def/ghi?x=1&y#z": {Value: "abc:def/ghi?x=1&y#z"},
		"user:jörg@example":   {Kind: report.KeyUser, Value: "jörg@example"},
		"line:12":             {Kind: report.KeyLine, Line: 12},
	} {
		g := setup(t)
		f := &tracer{err: &report.NoDeliveryError{ID: ntfID, Unplanned: 3}}
		g.reports.closeups = f
		got := g.Do(t, "GET", tracePath+url.PathEscape(text), "").Want(t, http.StatusNotFound, door.CodeNotFound)
		if f.key != want || !strings.Contains(got.Problem.Detail, "3 of its recipients are not planned yet") {
			t.Errorf("%q became %+v: %s", text, f.key, got.Problem.Detail)
		}
	}
	g := setup(t)
	g.Do(t, "GET", tracePath+"line:0", "").Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	g.Do(t, "GET", tracePath+"a-token", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	g.Do(t, "GET", "/v1/notifications/dev_1/deliveries/x", "").Want(t, http.StatusNotFound, door.CodeNotFound)
	for _, entry := range g.logs.All() {
		for _, f := range entry.Context {
			if strings.Contains(f.String, "a-token") {
				t.Errorf("the log has a token: %v", entry)
			}
		}
	}
}
