package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

func (a *api) traceDelivery(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.pathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return reply{}, err
	}
	key, err := report.ParseKey(x.r.PathValue("recipient"))
	if err != nil {
		return reply{}, err
	}
	t, err := a.cfg.Reports.Trace(ctx, x.tenant, id, key)
	if none, ok := errors.AsType[*report.NoDeliveryError](err); ok {
		return reply{}, refuse(codeNotFound, "%s", none.Error())
	}
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: traceView(&t)}, nil
}

func traceView(t *report.Trace) client.Trace {
	v := client.Trace{
		Notification: string(t.View.Notification.ID), State: string(t.View.State),
		Deliveries: make([]client.TracedDelivery, len(t.Deliveries)), More: t.More, Notes: t.Notes,
	}
	for i := range t.Deliveries {
		d := &t.Deliveries[i]
		v.Deliveries[i] = client.TracedDelivery{
			Delivery: deliveryView(&d.Delivery), DeviceID: string(d.DeviceID), UserID: d.UserID, ChunkState: d.State.String(),
			Meaning: d.Code.Facts().Meaning, Steps: stepViews(t.Timeline(d)),
		}
	}
	return v
}

func stepViews(steps []report.Step) []client.TraceStep {
	out := make([]client.TraceStep, len(steps))
	for i, s := range steps {
		out[i] = client.TraceStep{Step: string(s.Kind), At: timeOrNil(s.At), Attempt: s.Attempt, Detail: s.Detail}
		if s.Code != push.CodeOpen {
			out[i].Code, out[i].Class = s.Code.String(), s.Code.Class().String()
		}
		if s.Kind == report.StepAttempt {
			out[i].LatencyMS = new(float64(s.Latency) / float64(time.Millisecond))
		}
	}
	return out
}
