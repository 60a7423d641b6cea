package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

func (a *api) createNotification(ctx context.Context, x *exchange) (reply, error) {
	return a.accept(ctx, x, http.StatusAccepted, false)
}

func (a *api) createBatch(ctx context.Context, x *exchange) (reply, error) {
	return a.accept(ctx, x, http.StatusCreated, true)
}

// accept hands the body to the intake as it is, which reads it once.
func (a *api) accept(ctx context.Context, x *exchange, status int, batch bool) (reply, error) {
	key, err := x.idempotencyKey()
	if err != nil {
		return reply{}, err
	}
	body, err := x.readBody()
	if err != nil {
		return reply{}, err
	}
	return a.submit(ctx, status, ingest.Submission{Tenant: x.tenant, Key: key, Body: body, Batch: batch, TraceParent: x.trace.String()})
}

func (a *api) submit(ctx context.Context, status int, s ingest.Submission) (reply, error) {
	got, err := a.cfg.Intake.Accept(ctx, s)
	if err != nil {
		return reply{}, err
	}
	view := acceptedView(&got.Notification)
	if got.ValidateOnly {
		view.ID, view.State, view.Links = "", stateValid, client.Links{}
		out, err := got.Notification.Outgoing(a.now())
		if err != nil {
			return reply{}, err
		}
		view.Message = json.RawMessage(out)
		return reply{status: http.StatusOK, body: view}, nil
	}
	return reply{status: status, body: view, location: view.Links.Self, replayed: got.Replayed}, nil
}

// publishEvent is the same acceptance through a CloudEvent. The trace is the
// event's own where it has one: the request may be a relay's.
func (a *api) publishEvent(ctx context.Context, x *exchange) (reply, error) {
	body, err := x.readBody()
	if err != nil {
		return reply{}, err
	}
	e, err := wire.DecodeEvent(body)
	if err != nil {
		return reply{}, err
	}
	trace := e.TraceParent
	if trace == "" {
		trace = x.trace.String()
	}
	rep, err := a.submit(ctx, http.StatusAccepted, ingest.Submission{Tenant: x.tenant, Key: e.Key(), Body: e.Data, TraceParent: trace})
	return rep, inData(err)
}

// inData moves the faults of an event's data to where they are in the event.
func inData(err error) error {
	faults, ok := err.(push.Faults) //nolint:errorlint // wrapped faults are refused all the same, only less exactly
	if !ok {
		return err
	}
	moved := make(push.Faults, len(faults))
	for i, f := range faults {
		f.Pointer = "/data" + f.Pointer
		moved[i] = f
	}
	return moved
}

func (a *api) listNotifications(ctx context.Context, x *exchange) (reply, error) {
	items, next, err := a.cfg.Reports.Notifications(ctx, x.tenant, x.query.text("cursor"), int(x.query.integer("limit")))
	if err != nil {
		return reply{}, err
	}
	list := client.NotificationList{Items: make([]client.Notification, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = plainView(&items[i])
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (a *api) getNotification(ctx context.Context, x *exchange) (reply, error) {
	return a.show(ctx, x, push.PrefixNotification, push.PrefixBatch)
}

func (a *api) getBatch(ctx context.Context, x *exchange) (reply, error) {
	return a.show(ctx, x, push.PrefixBatch)
}

func (a *api) show(ctx context.Context, x *exchange, prefixes ...string) (reply, error) {
	id, err := x.pathID(prefixes...)
	if err != nil {
		return reply{}, err
	}
	v, err := a.cfg.Reports.Notification(ctx, x.tenant, id)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: fullView(&v, a.now())}, nil
}

// operation is one of Lifecycle's.
type operation func(ctx context.Context, tenant string, id push.ID) (push.Notification, error)

func (a *api) move(op operation, prefixes ...string) handler {
	return func(ctx context.Context, x *exchange) (reply, error) {
		id, err := x.pathID(prefixes...)
		if err != nil {
			return reply{}, err
		}
		n, err := op(ctx, x.tenant, id)
		if err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusOK, body: plainView(&n)}, nil
	}
}
