package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// acceptance passes bodies to the intake.
type acceptance struct {
	intake   Intake
	previews Previews
}

func (a acceptance) createNotification(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	return a.accept(ctx, x, http.StatusAccepted, false)
}

func (a acceptance) createBatch(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	return a.accept(ctx, x, http.StatusCreated, true)
}

// accept passes the body as it is to the intake, which reads it once.
func (a acceptance) accept(ctx context.Context, x *door.Exchange, status int, batch bool) (door.Reply, error) {
	key, err := x.IdempotencyKey()
	if err != nil {
		return door.Reply{}, err
	}
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	return a.submit(ctx, x, status, ingest.Submission{
		Tenant: x.Tenant, App: x.Who.App, Key: key, Body: body, Batch: batch, TraceParent: x.Trace.String(), Sender: x.Who.Name,
	})
}

func (a acceptance) submit(ctx context.Context, x *door.Exchange, status int, s ingest.Submission) (door.Reply, error) {
	s.Entry = x.EntryOf(status)
	got, err := a.intake.Accept(ctx, s)
	if err != nil {
		return door.Reply{}, err
	}
	if got.InAudit {
		x.Audited()
	}
	view := acceptedView(&got.Notification)
	view.Warnings = warningsView(got.Warnings)
	if got.ValidateOnly {
		view.ID, view.State, view.Links = "", stateValid, client.Links{}
		if err := a.preview(ctx, &got.Notification, x.Now(), &view); err != nil {
			return door.Reply{}, err
		}
		return door.Reply{Status: http.StatusOK, Body: view}, nil
	}
	return door.Reply{Status: status, Body: view, Location: view.Links.Self, Replayed: got.Replayed}, nil
}

// publishEvent accepts a CloudEvent in the same way. An event's own trace is used if it has
// one, because the request may be a relay's.
func (a acceptance) publishEvent(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	e, err := wire.DecodeEvent(body)
	if err != nil {
		return door.Reply{}, err
	}
	trace := e.TraceParent
	if trace == "" {
		trace = x.Trace.String()
	}
	happened := e.Time
	if happened.IsZero() {
		happened = x.Now()
	}
	rep, err := a.submit(ctx, x, http.StatusAccepted, ingest.Submission{
		Tenant: x.Tenant, App: x.Who.App, Key: e.Key(), Body: e.Data, TraceParent: trace, Sender: e.Source, Happened: happened,
	})
	if faults, bad := errors.AsType[push.Faults](err); bad {
		return door.Reply{}, faults.Below("/data")
	}
	return rep, err
}
