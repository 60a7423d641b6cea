package quota

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Accept counts what is about to be accepted. later says that nothing was counted, because a quota is used up and the
// tenant has chosen that such work waits: it is to be accepted as deferred, and counted by Start. Of a whole batch, which
// is counted page by page, later is said whenever the tenant has so chosen. The error is as that of
// Admit.
func (q *Quotas) Accept(ctx context.Context, c push.Charge, batch bool) (later bool, err error) {
	g, err := q.gate(ctx, who{tenant: c.Tenant, app: c.App})
	if err != nil {
		return false, q.unknown(ctx, err)
	}
	if len(g.work) == 0 {
		return false, nil
	}
	if over := never(g, &c); over != nil {
		q.refused(over)
		return false, over
	}
	if g.defers && batch {
		return true, nil
	}
	if g.defers {
		if behind, waits := q.arrivals.follow(g.name, q.cfg.Now(), takes(g, &c)); waits { // it must not overtake
			q.deferred(behind)
			return true, nil
		}
	}
	err = q.takeAll(ctx, g.work, c.Of)
	if over, used := errors.AsType[*push.OverQuotaError](err); used && g.defers {
		q.deferred(over.Quota)
		q.arrivals.join(g.name, q.cfg.Now(), over)
		return true, nil
	}
	q.refused(err)
	return false, err
}

// deferred counts what is deferred for a quota.
func (q *Quotas) deferred(of push.Quota) {
	q.cfg.Metrics.over.WithLabelValues(string(of), outcomeDeferred).Inc()
}

// Count counts what is accepted and cannot be deferred any more: lines of an upload, or the start of a batch that was not
// deferred when it was made. The error is as that of Accept.
func (q *Quotas) Count(ctx context.Context, c push.Charge) error {
	g, err := q.gate(ctx, who{tenant: c.Tenant, app: c.App})
	if err != nil {
		return q.unknown(ctx, err)
	}
	if len(g.work) == 0 {
		return nil
	}
	if over := never(g, &c); over != nil {
		err = over
	} else {
		err = q.takeAll(ctx, g.work, c.Of)
	}
	q.refused(err)
	return err
}

// takes returns how long the quotas that are refilled need for a charge.
func takes(g *gate, c *push.Charge) (longest time.Duration) {
	for _, p := range g.work {
		longest = max(longest, each(p.quota, c.Of(p.quota), p.limit))
	}
	return longest
}

// never returns the error for what no quota ever has room for, or nil.
func never(g *gate, c *push.Charge) *push.OverQuotaError {
	for _, p := range g.work {
		if n := c.Of(p.quota); n > p.limit {
			left := min(p.bucket.Standing().Remaining, p.limit)
			return &push.OverQuotaError{Quota: p.quota, Policy: p.label, Of: p.of, Limit: p.limit, Wanted: n, Left: left, Never: true}
		}
	}
	return nil
}

// Undo takes back what was counted of something that was not accepted after all, or not anew.
func (q *Quotas) Undo(ctx context.Context, c push.Charge) {
	g, err := q.gate(ctx, who{tenant: c.Tenant, app: c.App})
	if err != nil {
		return
	}
	giveBack(g.work, c.Of)
}

// Start counts a part of what was deferred. wait > 0 says that a quota is used up: nothing was counted, and it may be
// tried after that. first says that it was not tried before: it waits behind all that were, those that come back go first.
// A part that is more than a quota has, because that was lowered, takes all of it.
func (q *Quotas) Start(ctx context.Context, c push.Charge, first bool) (wait time.Duration, err error) {
	g, err := q.gate(ctx, who{tenant: c.Tenant, app: c.App})
	if errors.Is(err, push.ErrNotFound) { // the tenant is gone: whoever delivers ends it as cancelled
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, p := range g.work {
		shrink(&c, p)
	}
	if err = q.takeAll(ctx, g.work, c.Of); err == nil {
		return 0, nil
	}
	over, used := errors.AsType[*push.OverQuotaError](err)
	switch {
	case !used:
		return 0, err
	case first:
		return q.starts.join(g.name, q.cfg.Now(), over), nil
	}
	return over.RetryAfter(), nil
}

func shrink(c *push.Charge, p *policy) {
	switch p.quota {
	case push.QuotaNotifications:
		c.Notifications = min(c.Notifications, p.limit)
	case push.QuotaRecipients:
		c.Recipients = min(c.Recipients, p.limit)
	case push.QuotaQueued:
		c.Queued = min(c.Queued, p.limit)
	case push.QuotaRequests, push.QuotaKeyRequests:
	}
}

// Largest returns the most recipients that a part of a batch may have to be counted at once, most if no quota is less.
func (q *Quotas) Largest(ctx context.Context, tenant, app string, most int) (int, error) {
	g, err := q.gate(ctx, who{tenant: tenant, app: app})
	if err != nil {
		return 0, err
	}
	for _, p := range g.work {
		if p.quota == push.QuotaRecipients || p.quota == push.QuotaQueued {
			most = int(min(int64(most), p.limit))
		}
	}
	return most, nil
}

// Behind returns the quota that a deferred part would have to wait for now, or nil. It takes nothing.
func (q *Quotas) Behind(ctx context.Context, c push.Charge) *push.OverQuotaError {
	g, err := q.gate(ctx, who{tenant: c.Tenant, app: c.App})
	if err != nil {
		return nil //nolint:nilerr // what is not known is not said
	}
	for _, p := range g.work {
		shrink(&c, p)
		n := c.Of(p.quota)
		if a := p.bucket.Standing(); n > a.Remaining {
			a.RetryAfter = p.takes(n - a.Remaining)
			return p.over(n, a, q.cfg.Now())
		}
	}
	return nil
}
