package breakers

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

// Changes publishes and notes the changes of the breakers, in their order. It does so
// on a goroutine of its own, since that may take a network call, and renews the note
// of a breaker that is still open.
type Changes struct {
	notes   *Notes
	publish func(ctx context.Context, c guard.Change)
	now     func() time.Time

	mu    sync.Mutex
	queue []guard.Change
	ring  chan struct{} // holds one

	last map[string]entry // by credential, as it was noted last; run's alone
}

// NewChanges returns what tells of changes to publish, which may take a network call, and
// to notes.
func NewChanges(notes *Notes, now func() time.Time, publish func(ctx context.Context, c guard.Change)) *Changes {
	return &Changes{notes: notes, publish: publish, now: now, ring: make(chan struct{}, 1), last: map[string]entry{}}
}

// Tell returns at once.
func (n *Changes) Tell(c guard.Change) {
	n.mu.Lock()
	n.queue = append(n.queue, c)
	n.mu.Unlock()
	select {
	case n.ring <- struct{}{}:
	default: // it rings already
	}
}

// Guards are the guards of a process, which may come and go.
type Guards func() []*guard.Guard

// breakerState is implemented by a guard. Calling State also closes a breaker whose
// time has come.
type breakerState interface{ State() guard.State }

// renewEvery is how often a dispatcher that lives renews a note that holds sends back.
const renewEvery = 30 * time.Second

// lookEvery is how often a guard is looked at for what it does not tell by itself, and so
// how often its note is written at most.
const lookEvery = 2 * time.Second

// Run works until ctx ends, and then tells what is left.
func (n *Changes) Run(ctx context.Context, guards Guards) {
	n.run(ctx, func() (all []breakerState) {
		for _, g := range guards() {
			all = append(all, g)
		}
		return all
	})
}

func (n *Changes) run(ctx context.Context, guards func() []breakerState) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.tellAll(context.WithoutCancel(ctx))
			return
		case <-n.ring:
			n.tellAll(ctx)
		case <-tick.C:
			for _, g := range guards() {
				n.look(ctx, g.State())
			}
		}
	}
}

// look notes what holds sends back besides a change of the breaker, when it begins and when it
// ends: a breaker that stays open for longer tells of no change. Whatever still holds is noted
// every renewEvery.
func (n *Changes) look(ctx context.Context, s guard.State) {
	now := n.now().UTC()
	if s.Credential != "" {
		next := n.last[s.Credential]
		next.PausedUntil, next.Throttled = time.Time{}, s.Traffic[guard.TrafficLive].Throttled
		if s.PausedUntil.After(now) {
			next.PausedUntil = s.PausedUntil.UTC().Truncate(time.Second)
		}
		if s.Breaker == guard.BreakerOpen && next.State == guard.BreakerOpen.String() {
			next.Until, next.Cause = s.Until.UTC(), s.Cause
		}
		if next != n.last[s.Credential] {
			n.note(ctx, s.Credential, next, now)
		}
	}
	for credential, last := range n.last {
		if last.holds() && now.Sub(last.At) >= renewEvery {
			n.note(ctx, credential, last, now)
		}
	}
}

// note writes a note down as of a time.
func (n *Changes) note(ctx context.Context, credential string, note entry, at time.Time) {
	if last := n.last[credential].At; !at.After(last) {
		at = last.Add(time.Microsecond) // a change that is told late is not older than what was noted since
	}
	note.At = at
	n.last[credential] = note
	n.notes.note(ctx, credential, note)
}

func (n *Changes) tellAll(ctx context.Context) {
	n.mu.Lock()
	queue := n.queue
	n.queue = nil
	n.mu.Unlock()
	for _, c := range queue {
		note := n.last[c.Credential]
		note.State, note.Until = c.To.String(), c.Until.UTC()
		switch {
		case c.To == guard.BreakerClosed:
			note.Since, note.Cause = time.Time{}, push.CodeOpen
		case c.From == guard.BreakerClosed:
			note.Since = c.At.UTC()
		}
		if c.To == guard.BreakerOpen {
			note.Cause = c.Cause
		}
		n.note(ctx, c.Credential, note, c.At.UTC())
		n.publish(ctx, c)
	}
}
