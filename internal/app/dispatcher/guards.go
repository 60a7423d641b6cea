package dispatcher

import (
	"sync"

	"github.com/belfry-push/belfry/internal/guard"
)

// guards has one guard for each credential in use: for a project and a key, by their label. Apps,
// of whatever tenants, that have the same key share its guard, since FCM counts them together and
// whoever has the key is the same. Apps with different keys of one project do not: a key that
// Google refuses must not hold another's sends back. Safe for concurrent use.
type guards struct {
	make func(label string, ramp bool) (*guard.Guard, error)

	mu  sync.Mutex
	all map[string]*sharedGuard
}

// sharedGuard is a guard and how many senders have it.
type sharedGuard struct {
	*guard.Guard

	label string
	users int
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
