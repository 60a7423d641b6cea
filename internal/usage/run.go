package usage

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/worker"
)

const (
	// every is how often the tenants are looked at, and seldom how often one that accepts nothing.
	every  = time.Minute
	seldom = 16 * time.Minute
	// turnWalks and turnVisits bound what one tenant gets at a time: a hundred thousand notifications. They
	// keep the others waiting for seconds.
	turnWalks  = 200
	turnVisits = 200
)

// Run keeps the books of all tenants until ctx ends. Any number of processes may: they only look more often.
func (r *Room) Run(ctx context.Context) {
	p := patience{}
	failing := false
	for {
		err := r.round(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing { // repeated failure is logged when it changes
			failing = err != nil
			r.cfg.Log.Warn("keeping the books of usage", zap.Bool("failing", failing), zap.Error(err))
		}
		if !worker.Wait(ctx, every) {
			return
		}
	}
}

// Round keeps the books of all tenants once.
func (r *Room) Round(ctx context.Context) error { return r.round(ctx, patience{}) }

// patience is when a tenant is looked at again, and how long after the last time that is.
type patience map[string]struct {
	next time.Time
	wait time.Duration
}

func (r *Room) round(ctx context.Context, p patience) error {
	all, err := r.tenants(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range all {
		now := r.cfg.Now()
		look := p[tenant]
		if now.Before(look.next) {
			continue
		}
		before, err := r.book(ctx, tenant)
		if err != nil {
			return err
		}
		if _, err := r.catchUp(ctx, tenant, turnWalks, turnVisits, agedList(now)); err != nil {
			return err
		}
		idle := before.Day < DayOf(now) && len(before.Open) == 0
		if look.wait = min(2*look.wait, seldom); !idle || look.wait == 0 {
			look.wait = every
		}
		look.next = now.Add(look.wait - every/2)
		p[tenant] = look
	}
	r.cfg.Metrics.passed(r.cfg.Now())
	return nil
}

// agedList says which lists are due: those that nobody has looked at for a quarter of an hour. What is
// asked for is looked at when it is asked.
func agedList(now time.Time) func(listed) bool {
	const old = 15 * time.Minute
	return func(l listed) bool { return l.At <= now.Add(-old).Unix() }
}
