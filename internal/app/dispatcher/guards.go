package dispatcher

import (
	"context"
	"sync"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/override"
)

// guards has one guard for each credential in use: for a project and a key, by their label. Apps,
// of whatever tenants, that have the same key share its guard, since FCM counts them together and
// whoever has the key is the same. Apps with different keys of one project do not: a key that
// Google refuses must not hold another's sends back. Safe for concurrent use.
type guards struct {
	make      func(label string, ramp bool) (*guard.Guard, error)
	overrides Overrides

	mu  sync.Mutex
	all map[string]*sharedGuard
}

// sharedGuard is a guard and how many senders have it.
type sharedGuard struct {
	*guard.Guard

	label  string
	users  int
	obeyed override.Override // the last decision of an operator that it followed
}

// Overrides knows what operators have decided of breakers.
type Overrides interface {
	// Of returns what was decided last of a credential, and whether anything was.
	Of(credential string) (override.Override, bool)
	// Changed returns a channel that is closed when that changes.
	Changed() <-chan struct{}
}

// follow has the guards do what operators decide, until ctx ends.
func (g *guards) follow(ctx context.Context) {
	for {
		changed := g.overrides.Changed()
		g.obey()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (g *guards) obey() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.all {
		if o, _ := g.overrides.Of(s.label); o != s.obeyed {
			s.obey(o)
		}
	}
}

// obey does what an operator has decided; the zero override says that nothing stands any more.
func (s *sharedGuard) obey(o override.Override) {
	s.obeyed = o
	force := guard.Override{By: o.By, Reason: o.Reason, Since: o.Since, Until: o.Until}
	switch o.State {
	case override.Open:
		force.State = guard.BreakerOpen
		s.Force(force)
	case override.Closed:
		force.State = guard.BreakerClosed
		s.Force(force)
	case override.Automatic:
		s.Reset(o.By, o.Reason)
	default:
		s.LetGo()
	}
}

// take returns the guard of a label; give gives it back. A new one of a key that takes another's
// place begins at the full pace: its project was sent to a moment ago.
func (g *guards) take(label string, rotated bool) (*sharedGuard, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[label]
	if s == nil {
		made, err := g.make(label, !rotated)
		if err != nil {
			return nil, err
		}
		s = &sharedGuard{Guard: made, label: label}
		if o, _ := g.overrides.Of(label); o.State == override.Open || o.State == override.Closed {
			s.obey(o)
		} else { // a new guard has nothing to forget
			s.obeyed = o
		}
		g.all[label] = s
	}
	s.users++
	return s, nil
}

func (g *guards) give(s *sharedGuard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(g.all, s.label)
		s.Close()
	}
}

// list returns all guards.
func (g *guards) list() []*guard.Guard {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*guard.Guard, 0, len(g.all))
	for _, s := range g.all {
		out = append(out, s.Guard)
	}
	return out
}
