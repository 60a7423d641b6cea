package quota

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Admit counts a request of the API against what its tenant, app and key may make in a second. fields, of an answer to
// it, are RateLimit-Policy and RateLimit as they stand when they are asked for, "" if there is no quota; it may be nil.
// The error is a [*push.OverQuotaError], push.ErrNotFound for a tenant that is no more, or that ctx ended.
func (q *Quotas) Admit(ctx context.Context, c *access.Caller) (fields func() (policies, limits string), err error) {
	g, err := q.gate(ctx, who{c.Tenant, c.App, c.Name})
	if err != nil {
		return nil, q.unknown(ctx, err)
	}
	if g.fields == "" {
		return nil, nil
	}
	err = q.takeAll(ctx, g.requests, one)
	q.refused(err)
	return func() (string, string) { return g.fields, limitField(g, q.cfg.Now()) }, err
}

// unknown says what becomes of somebody whose quotas cannot be read: he is let through, as while the store of the buckets is
// away, unless he has hung up.
func (q *Quotas) unknown(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, push.ErrNotFound):
		return err
	}
	q.cfg.Metrics.unchecked.Inc()
	return nil
}

// takeAll takes of each quota what is charged of it, or of none.
func (q *Quotas) takeAll(ctx context.Context, all []*policy, charged func(push.Quota) int64) error {
	for i, p := range all {
		n := charged(p.quota)
		if n == 0 {
			continue
		}
		err := q.take(ctx, p, n)
		q.watch(p, err == nil) //nolint:contextcheck // nobody waits for it
		if err != nil {
			giveBack(all[:i], charged)
			return err
		}
	}
	return nil
}

// giveBack puts back what takeAll took.
func giveBack(all []*policy, charged func(push.Quota) int64) {
	for _, p := range all {
		if n := charged(p.quota); n > 0 {
			p.bucket.Return(n)
		}
	}
}

// one is what a request is charged with.
func one(push.Quota) int64 { return 1 }

// take takes n of a quota, of what this process has leased, mostly.
func (q *Quotas) take(ctx context.Context, p *policy, n int64) error {
	if n <= p.limit && p.bucket.Take(n) {
		return nil
	}
	a, err := p.bucket.Ask(ctx, n)
	switch {
	case errors.Is(err, sharedrate.ErrAway):
		q.cfg.Metrics.unchecked.Inc()
		return nil
	case err != nil:
		return err
	case a.OK:
		return nil
	}
	return p.over(n, a, q.cfg.Now())
}

// refused counts a refusal.
func (q *Quotas) refused(err error) {
	if over, ok := errors.AsType[*push.OverQuotaError](err); ok {
		q.cfg.Metrics.over.WithLabelValues(string(over.Quota), outcomeRefused).Inc()
	}
}
