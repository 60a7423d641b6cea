package letters

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Group is what letters of one cause have in common, over tenants and queues.
type Group struct {
	Fingerprint string
	Code        push.Code
	LastCode    push.Code
	Class       push.Class
	App         string
	Template    string
	Pattern     string
	Sample      push.ID // one of its letters

	ByState map[push.LetterState]int64
	Tenants map[string]int64 // letters per tenant, in the filter's states
	Queues  map[string]int64

	FirstDeadAt, LastDeadAt time.Time
	Advice                  Advice
	Sources                 Sources // as [Room.AddSources] found them
}

// Count returns how many letters the group has in the given states, in all of
// them when none is given.
func (g *Group) Count(states ...push.LetterState) int64 {
	if len(states) == 0 {
		states = push.LetterStates()
	}
	var n int64
	for _, s := range states {
		n += g.ByState[s]
	}
	return n
}

// Groups returns the letters that match the filter by cause, the largest group first. A
// filter without States means parked letters. It costs O(groups), unless the filter asks
// for more than queue, tenant, app, codes and fingerprint.
func (r *Room) Groups(ctx context.Context, f push.LetterFilter) ([]Group, error) {
	if len(f.States) == 0 {
		f.States = []push.LetterState{push.LetterParked}
	}
	parts, err := r.cfg.Letters.LetterGroups(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("group dead letters: %w", err)
	}
	byPrint := map[string]*Group{}
	for i := range parts {
		p := &parts[i]
		g := byPrint[p.Fingerprint]
		if g == nil {
			g = newGroup(p)
			byPrint[p.Fingerprint] = g
		}
		g.add(p, f.States)
	}
	groups := make([]Group, 0, len(byPrint))
	for g := range maps.Values(byPrint) {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count(f.States...), a.Count(f.States...)), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	return groups, nil
}

func newGroup(p *push.LetterGroup) *Group {
	cause := p.LastCode
	if cause == push.CodeOpen {
		cause = p.Code
	}
	return &Group{
		Fingerprint: p.Fingerprint, Code: p.Code, LastCode: p.LastCode, Class: cause.Class(), App: p.App, Template: p.Template,
		Pattern: p.Pattern,
		Sample:  p.Sample, ByState: map[push.LetterState]int64{}, Tenants: map[string]int64{}, Queues: map[string]int64{},
		FirstDeadAt: p.FirstDeadAt, LastDeadAt: p.LastDeadAt, Advice: AdviceFor(cause),
	}
}

func (g *Group) add(p *push.LetterGroup, states []push.LetterState) {
	for s, n := range p.ByState {
		g.ByState[s] += n
		if slices.Contains(states, s) {
			g.Tenants[p.Tenant] += n
			g.Queues[p.Queue] += n
		}
	}
	if p.FirstDeadAt.Before(g.FirstDeadAt) {
		g.FirstDeadAt = p.FirstDeadAt
	}
	if p.LastDeadAt.After(g.LastDeadAt) {
		g.LastDeadAt = p.LastDeadAt
	}
}
