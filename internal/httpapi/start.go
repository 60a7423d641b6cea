package httpapi

import (
	"context"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// startRoute adds to the start of a batch that it may come early.
func (a *api) startRoute(r *route) *route {
	r.detail = "With `early=true` sending begins while recipients are still being uploaded; a start without it says later that the upload is finished. " +
		"Until then the batch does not complete. Its TTL counts from the first start, and the deadline ends an upload that nobody declares finished."
	r.params = []param{
		{name: "early", about: "Send while recipients are still being uploaded.", kind: paramFlag, fallback: "false"},
	}
	r.run = replying(a.once(idempotency.Lease, a.startBatch()))
	return r
}

func (a *api) startBatch() handler {
	whole := a.move(a.cfg.Batches.Start, push.PrefixBatch)
	early := a.move(a.cfg.Batches.StartEarly, push.PrefixBatch)
	return func(ctx context.Context, x *exchange) (reply, error) {
		if x.query.flag("early") {
			return early(ctx, x)
		}
		return whole(ctx, x)
	}
}
