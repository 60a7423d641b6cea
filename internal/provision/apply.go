package provision

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// DifferError says that resources exist, differ from what Belfry needs and were
// left as they are.
type DifferError struct {
	Names []string // kind and name of each
	Fixed bool     // some of them cannot be changed at all
}

// Error implements error.
func (e *DifferError) Error() string {
	hint := "belfry provision --force would change them"
	if e.Fixed {
		hint = "what is marked impossible cannot be changed: use another prefix, or remove the resource yourself"
	}
	return fmt.Sprintf("left as it is, because it differs: %s; %s", list(e.Names), hint)
}

// list names a few.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		names = append(slices.Clone(names[:most]), "…")
	}
	return strings.Join(names, ", ")
}

// Apply makes what the plan says is missing and adds what is not set. What has
// another value is changed only with force, and what cannot be changed never; it
// returns a [DifferError] then, after everything else is done. Another failure
// ends it at once. The plan that it returns says what was done either way.
//
// It may be run again at any time, after a crash too, and by several processes:
// each step is either one call or one that the next run repeats.
func (p *Provisioner) Apply(ctx context.Context, plan Plan, force bool) (Plan, error) {
	parts := p.parts()
	done := Plan{Steps: slices.Clone(plan.Steps)}
	if len(parts) != len(done.Steps) {
		return done, fmt.Errorf("apply: a plan of %d resources for %d", len(done.Steps), len(parts))
	}
	// One kind after the other, since queues need their dead-letter queues and
	// subscriptions need both ends; tables together, since each takes AWS seconds.
	for from := 0; from < len(parts); {
		to, limit := from+1, 1
		if parts[from].Kind == KindTable {
			limit = readers
			for to < len(parts) && parts[to].Kind == KindTable {
				to++
			}
		}
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(limit)
		for i := from; i < to; i++ {
			g.Go(func() error {
				err := parts[i].apply(ctx, &done.Steps[i], force)
				if err != nil {
					return fmt.Errorf("provision %s %s: %w", parts[i].Kind, parts[i].Name, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return done, err
		}
		from = to
	}
	return done, left(done)
}

// left returns the [DifferError] of a plan, or nil.
func left(plan Plan) error {
	var e DifferError
	for _, s := range plan.Steps {
		if s.Outcome == OutcomeLeft {
			e.Names = append(e.Names, string(s.Kind)+" "+s.Name)
			e.Fixed = e.Fixed || s.count(EffectImpossible) > 0
		}
	}
	if len(e.Names) == 0 {
		return nil
	}
	return &e
}

// apply does one step and notes in it what became of it.
func (p part) apply(ctx context.Context, s *Step, force bool) error {
	if !s.Exists {
		given, err := p.driver.create(ctx)
		if err != nil {
			return err
		}
		s.Outcome = OutcomeCreated
		s.Changes = additions(p.Attributes, given)
	}
	s.Changes = slices.Clone(s.Changes)
	var allowed []*Change
	differs := false
	for i := range s.Changes {
		switch c := &s.Changes[i]; {
		case c.Effect == EffectUnsupported:
		case c.Effect == EffectImpossible, c.Effect == EffectReplace && !force:
			differs = true
		default:
			allowed = append(allowed, c)
		}
	}
	for _, w := range writes(allowed) {
		err := p.driver.set(ctx, w.attributes())
		switch {
		case err == nil && s.Outcome == "":
			s.Outcome = OutcomeChanged
		case err == nil:
		case !w.vital() && excused(p.standIn, err):
			for _, c := range w {
				c.Effect = EffectUnsupported
			}
		default:
			return fmt.Errorf("%s: %w", strings.Join(w.attributes(), ", "), err)
		}
	}
	if differs {
		s.Outcome = OutcomeLeft
	}
	return nil
}

// write is changes that one call makes.
type write []*Change

// writes puts changes together that belong to one document of AWS's, in the
// order of the first of each: one write after the other, each made of what was
// read before, may miss what the one before it has just written.
func writes(changes []*Change) []write {
	var all []write
	at := map[string]int{}
	for _, c := range changes {
		d := document(c.Attribute)
		i, ok := at[d]
		if !ok {
			i = len(all)
			at[d], all = i, append(all, nil)
		}
		all[i] = append(all[i], c)
	}
	return all
}

func (w write) attributes() []string {
	names := make([]string, len(w))
	for i, c := range w {
		names[i] = c.Attribute
	}
	return names
}

func (w write) vital() bool { return slices.ContainsFunc(w, func(c *Change) bool { return c.Vital }) }
