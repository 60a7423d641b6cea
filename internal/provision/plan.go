package provision

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Effect is what a change does to a resource that exists.
type Effect string

// The effects.
const (
	EffectAdd         Effect = "add"         // it is not set; setting it takes nothing away
	EffectReplace     Effect = "replace"     // it has another value, which somebody may want
	EffectImpossible  Effect = "impossible"  // it has another value and cannot be changed
	EffectUnsupported Effect = "unsupported" // the stand-in for AWS does not know it
)

// Change is one attribute that is not as it must be.
type Change struct {
	Attribute string `json:"attribute"`
	From      string `json:"from,omitempty"` // "" when it is not set
	To        string `json:"to"`
	Effect    Effect `json:"effect"`
	Vital     bool   `json:"vital,omitempty"` // see [Attribute]
}

// Outcome is what became of a step.
type Outcome string

// The outcomes of applying a plan; a plan that was not applied has none.
const (
	OutcomeCreated Outcome = "created"
	OutcomeChanged Outcome = "changed"
	OutcomeLeft    Outcome = "left" // it differs and stays as it is
)

// Step is one resource of a plan.
type Step struct {
	Kind    Kind     `json:"kind"`
	Name    string   `json:"name"`
	Exists  bool     `json:"exists"` // before
	Changes []Change `json:"changes,omitempty"`
	Outcome Outcome  `json:"outcome,omitempty"`
}

// Plan is the difference between what an account has and what it needs: every
// resource, in the order in which they are made.
type Plan struct {
	Steps []Step `json:"steps"`
}

// count returns how many changes have the effect.
func (s Step) count(e Effect) int {
	n := 0
	for _, c := range s.Changes {
		if c.Effect == e {
			n++
		}
	}
	return n
}

// Differs reports whether something of the resource has another value than it
// must.
func (s Step) Differs() bool { return s.count(EffectReplace)+s.count(EffectImpossible) > 0 }

// Missing returns how many resources do not exist.
func (p Plan) Missing() int {
	n := 0
	for _, s := range p.Steps {
		if !s.Exists {
			n++
		}
	}
	return n
}

// Settled reports whether there is nothing left to do or to decide.
func (p Plan) Settled() bool {
	return !slices.ContainsFunc(p.Steps, func(s Step) bool {
		return s.Outcome == OutcomeLeft || s.Outcome == "" && (!s.Exists || s.Differs() || s.count(EffectAdd) > 0)
	})
}

// diff compares what a resource has with what it must have. What a resource of a
// stand-in has not got, although it was asked for when the resource was made,
// the stand-in does not know.
func diff(want []Attribute, have map[string]string, standIn bool) []Change {
	var changes []Change
	for _, a := range want {
		is := have[a.Name]
		c := Change{Attribute: a.Name, From: is, To: a.Value, Vital: a.Vital}
		switch {
		case is == a.Value:
			continue
		case is == "" && standIn && !a.Vital:
			c.Effect = EffectUnsupported
		case a.Fixed:
			c.Effect = EffectImpossible
		case is == "":
			c.Effect = EffectAdd
		default:
			c.Effect = EffectReplace
		}
		changes = append(changes, c)
	}
	return changes
}

// additions are the changes that give a new resource what it was not given when
// it was made.
func additions(want []Attribute, given []string) []Change {
	var changes []Change
	for _, a := range want {
		if !slices.Contains(given, a.Name) {
			changes = append(changes, Change{Attribute: a.Name, To: a.Value, Effect: EffectAdd, Vital: a.Vital})
		}
	}
	return changes
}

// readers bounds how many resources are looked at together.
const readers = 8

// Finding is what one resource looks like, or why that could not be found out.
type Finding struct {
	Step Step
	Err  error
}

// Look looks at every resource and changes nothing; the order is that of
// [State.Resources].
func (p *Provisioner) Look(ctx context.Context) []Finding {
	parts := p.parts()
	findings := make([]Finding, len(parts))
	var g errgroup.Group
	g.SetLimit(readers)
	for i, part := range parts {
		g.Go(func() error {
			findings[i] = part.look(ctx)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return findings
}

func (p part) look(ctx context.Context) Finding {
	have, found, err := p.driver.read(ctx)
	f := Finding{Step: Step{Kind: p.Kind, Name: p.Name, Exists: found}, Err: err}
	switch {
	case err != nil:
	case found:
		f.Step.Changes = diff(p.Attributes, have, p.standIn)
	default:
		f.Step.Changes = additions(p.Attributes, nil)
	}
	return f
}

// Plan looks at every resource; it fails with the first that cannot be looked
// at.
func (p *Provisioner) Plan(ctx context.Context) (Plan, error) {
	var plan Plan
	for _, f := range p.Look(ctx) {
		if f.Err != nil {
			return Plan{}, fmt.Errorf("look at %s %s: %w", f.Step.Kind, f.Step.Name, f.Err)
		}
		plan.Steps = append(plan.Steps, f.Step)
	}
	return plan, nil
}
