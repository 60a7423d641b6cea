package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

func (c *closeups) traceDelivery(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return door.Reply{}, err
	}
	key, err := report.ParseKey(x.Request.PathValue("recipient"))
	if err != nil {
		return door.Reply{}, err
	}
	t, err := c.reports.Trace(ctx, x.Tenant, id, key)
	if none, ok := errors.AsType[*report.NoDeliveryError](err); ok {
		return door.Reply{}, door.Refuse(door.CodeNotFound, "%s", none.Error())
	}
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: c.traceView(&t)}, nil
}

// traceChosen explains the slowest or the failed deliveries.
func (c *closeups) traceChosen(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return door.Reply{}, err
	}
	t, err := c.reports.Chosen(ctx, x.Tenant, id, report.Choice(x.Query.Text("of")), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: c.traceView(&t)}, nil
}

func (c *closeups) traceView(t *report.Trace) client.Trace {
	v := client.Trace{
		Notification: string(t.View.Notification.ID), State: client.State(t.View.State),
		Deliveries: make([]client.TracedDelivery, len(t.Deliveries)), More: t.More, Notes: t.Notes,
		Waiting: waitingView(t.View.Waiting), TraceID: traceID(&t.View.Notification),
	}
	if r := t.Refused; r != nil {
		v.Refused = &client.LineError{Line: r.Line, Pointer: r.Pointer, Code: r.Code, Detail: r.Detail}
	}
	for i := range t.Deliveries {
		d := &t.Deliveries[i]
		v.Deliveries[i] = client.TracedDelivery{
			Delivery: deliveryView(&d.Delivery), DeviceID: string(d.DeviceID), UserID: d.UserID, ChunkState: d.State.String(),
			Meaning: d.Code.Facts().Meaning, Steps: c.stepViews(t, d), TraceID: c.sentIn(&t.View.Notification, d.Chunk),
		}
		if took := t.Took(d); took > 0 {
			v.Deliveries[i].TookMS = millis(took)
		}
	}
	return v
}

// traceID is the id of the trace of a notification's request, "" if it has none.
func traceID(n *push.Notification) string {
	at, err := telemetry.ParseTraceParent(n.TraceParent)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(at.TraceID[:])
}

// sentIn is the id of the trace in which a chunk is sent.
func (c *closeups) sentIn(n *push.Notification, seq int) string {
	switch {
	case !n.ID.IsBatch():
		return traceID(n)
	case !c.traced:
		return ""
	}
	id := trace.OfChunk(string(n.ID), seq)
	return hex.EncodeToString(id[:])
}

func (c *closeups) stepViews(t *report.Trace, d *report.Traced) []client.TraceStep {
	steps := t.Timeline(d)
	out := make([]client.TraceStep, len(steps))
	for i, s := range steps {
		out[i] = client.TraceStep{Step: string(s.Kind), At: views.Time(s.At), Attempt: s.Attempt, Detail: s.Detail}
		if s.Code != push.CodeOpen {
			out[i].Code, out[i].Class = client.Code(s.Code.String()), client.Class(s.Code.Class().String())
		}
		if s.Kind == report.StepAttempt {
			out[i].LatencyMS = millis(s.Latency)
		}
		if s.Waited > 0 {
			out[i].WaitedMS = millis(s.Waited)
		}
		if s.Replay != "" && c.traced {
			id := trace.OfReplay(string(s.Replay), string(t.View.Notification.ID), d.Chunk)
			out[i].TraceID = hex.EncodeToString(id[:])
		}
	}
	return out
}

func millis(d time.Duration) *float64 { return new(float64(d) / float64(time.Millisecond)) }
