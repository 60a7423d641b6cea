package usage

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/telemetry"
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
	p := newPatience()
	var ailing telemetry.Ailing
	for {
		err := r.round(ctx, p)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(r.cfg.Log, "keeping the books of usage", err)
		if !worker.Wait(ctx, every) {
			return
		}
	}
}

// Round keeps the books of all tenants once.
func (r *Room) Round(ctx context.Context) error { return r.round(ctx, newPatience()) }

// patience is what a process remembers of the tenants from one round to the next.
type patience struct {
	tenants map[string]look
	day     Day
	today   map[string]Sums // what was used on that day, of those who used something
}

// look is when a tenant is looked at again, and how long after the last time that is.
type look struct {
	next time.Time
	wait time.Duration
}

func newPatience() *patience { return &patience{tenants: map[string]look{}, today: map[string]Sums{}} }

func (r *Room) round(ctx context.Context, p *patience) error {
	all, err := r.tenants(ctx)
	if err != nil {
		return err
	}
	if today := DayOf(r.cfg.Now()); p.day != today {
		p.day, p.today = today, map[string]Sums{}
	}
	for _, tenant := range all {
		now := r.cfg.Now()
		l := p.tenants[tenant]
		if now.Before(l.next) {
			continue
		}
		idle, err := r.look(ctx, tenant, now, p)
		if err != nil {
			return err
		}
		if l.wait = min(2*l.wait, seldom); !idle || l.wait == 0 {
			l.wait = every
		}
		l.next = now.Add(l.wait - every/2)
		p.tenants[tenant] = l
	}
	r.cfg.Metrics.round(r.cfg.Now(), p.today, r.cfg.Log)
	return nil
}

// look keeps a tenant's books, and sums what it used today. It reports whether the tenant can wait.
func (r *Room) look(ctx context.Context, tenant string, now time.Time, p *patience) (idle bool, err error) {
	if _, err := r.catchUp(ctx, tenant, turnWalks, turnVisits, agedList(now)); err != nil {
		return false, err
	}
	k, err := r.recent(ctx, tenant)
	if err != nil {
		return false, err
	}
	sums, _, err := r.of(ctx, tenant, k, p.day)
	if err != nil {
		return false, err
	}
	var today Sums
	for _, s := range sums {
		today = today.Plus(s)
	}
	if today.Requests == 0 {
		return len(k.book.Open) == 0, nil
	}
	p.today[tenant] = today
	return false, nil
}

// agedList says which lists are due: those that nobody has looked at for a quarter of an hour. What is
// asked for is looked at when it is asked.
func agedList(now time.Time) func(listed) bool {
	const old = 15 * time.Minute
	return func(l listed) bool { return l.At <= now.Add(-old).Unix() }
}
