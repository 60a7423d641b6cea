package status

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// look says how processes are as of a time: in the order of their kinds, the oldest first.
func look(all []Process, now time.Time) []Seen {
	seen := make([]Seen, len(all))
	for i := range all {
		age := max(0, now.Sub(all[i].At))
		seen[i] = Seen{Process: all[i], Age: age, Silent: silent(&all[i], age)}
	}
	slices.SortFunc(seen, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return seen
}

// The states of a breaker that is not closed, as guards name them.
const (
	breakerOpen     = "open"
	breakerHalfOpen = "half_open"
)

// severity orders breakers, the worst last.
func severity(c *Credential) int {
	of := slices.Index([]string{"", "closed", breakerHalfOpen, breakerOpen}, c.Breaker)
	if c.Override != nil {
		return max(of, 2) // whatever an operator holds is to be seen
	}
	return of
}

// credentials joins what the living processes say of each credential.
func credentials(all []Seen) []CredentialSum {
	byLabel := map[string]*CredentialSum{}
	for i := range all {
		if all[i].Silent {
			continue
		}
		for k := range all[i].Credentials {
			c := all[i].Credentials[k]
			sum := byLabel[c.Label]
			if sum == nil {
				c.Apps = slices.Clone(c.Apps)
				byLabel[c.Label] = &CredentialSum{Credential: c, Processes: 1}
				continue
			}
			sum.join(&c)
		}
	}
	out := make([]CredentialSum, 0, len(byLabel))
	for _, c := range byLabel {
		slices.Sort(c.Apps)
		c.Apps = slices.Compact(c.Apps)
		out = append(out, *c)
	}
	worstFirst(out)
	return out
}

func worstFirst(all []CredentialSum) {
	slices.SortFunc(all, func(a, b CredentialSum) int {
		return cmp.Or(cmp.Compare(severity(&b.Credential), severity(&a.Credential)), strings.Compare(a.Label, b.Label))
	})
}

// Credentials returns how it stands with the credentials that processes send with, and at the end those of processes which
// were heard from lately and are silent now, as they were then.
func Credentials(ctx context.Context, docs document.Store, now time.Time) ([]CredentialSum, error) {
	all, err := processes(ctx, docs)
	if err != nil {
		return nil, err
	}
	seen := look(all, now)
	out := credentials(seen)
	for i := range seen {
		for _, c := range seen[i].Credentials {
			if !slices.ContainsFunc(out, func(o CredentialSum) bool { return o.Label == c.Label }) {
				out = append(out, CredentialSum{Credential: c})
			}
		}
	}
	return out, nil
}

// Overridden returns credentials with the overrides that stand, by label, and those that only an override tells of.
func Overridden(all []CredentialSum, stand map[string]Override) []CredentialSum {
	left := maps.Clone(stand)
	for i := range all {
		c := &all[i]
		c.Override = nil
		if o, ok := left[c.Label]; ok {
			c.Override = &o
			delete(left, c.Label)
		}
	}
	for label, o := range left {
		all = append(all, CredentialSum{Credential: Credential{Label: label, Breaker: o.State, Since: o.Since, Until: o.Until, Override: &o}})
	}
	worstFirst(all)
	return all
}

// agree has what is said of the same breaker be the same, in the headline, of the credential and of what waits for it: its
// processes say how it is every few seconds, and what waits was told of it at another moment, by one of them.
func (s *Status) agree(now time.Time) {
	by := map[string]*CredentialSum{}
	for i := range s.Credentials {
		c := &s.Credentials[i]
		if c.Breaker == breakerOpen && c.Override == nil && !c.Until.IsZero() && !c.Until.After(now) {
			c.Breaker, c.Until = breakerHalfOpen, time.Time{} // the next request finds out
		}
		if c.Override == nil && (c.Breaker == breakerOpen || c.Breaker == breakerHalfOpen) {
			by[c.Label] = c
		}
	}
	s.Running = slices.Clone(s.Running) // others look at the same reading
	for i := range s.Running {
		w := &s.Running[i]
		if c := by[w.Credential]; c != nil && w.Reason == reasonBreaker {
			w.Waiting, w.Until = push.BreakerWaits(c.Breaker == breakerHalfOpen, c.Until, c.Cause), c.Until
		}
	}
}

// join adds what another process says: the worst state, the oldest token, and sums.
func (s *CredentialSum) join(c *Credential) {
	s.Processes++
	s.Apps = append(s.Apps, c.Apps...)
	if severity(c) > severity(&s.Credential) {
		s.Breaker, s.Since, s.Until, s.Cause = c.Breaker, c.Since, c.Until, c.Cause
	} else if c.Breaker == s.Breaker && c.Since.Before(s.Since) {
		s.Since = c.Since
	}
	s.InFlight += c.InFlight
	s.Holding += c.Holding
	s.Pace += c.Pace
	s.Share += c.Share
	s.Budget += c.Budget
	s.Stale = s.Stale || c.Stale
	s.Throttled = s.Throttled || c.Throttled
	s.Sick = max(s.Sick, c.Sick)
	s.Refused = cmp.Or(s.Refused, c.Refused)
	if c.PausedUntil.After(s.PausedUntil) {
		s.PausedUntil = c.PausedUntil
	}
	if s.TokenAt.IsZero() || !c.TokenAt.IsZero() && c.TokenAt.Before(s.TokenAt) {
		s.TokenAt, s.TokenUntil = c.TokenAt, c.TokenUntil
	}
}

// lanes sums the living processes' lanes, with what runs in them; one in which something runs and nobody works is among them.
func lanes(all []Seen, under []Running) (out []Lane) {
	for i := range all {
		if all[i].Silent {
			continue
		}
		for _, w := range all[i].Workers {
			if w.Lane == "" {
				continue
			}
			k := slices.IndexFunc(out, func(l Lane) bool { return l.Lane == w.Lane })
			if k < 0 {
				k = len(out)
				out = append(out, Lane{Lane: w.Lane, Window: w.Window})
			}
			l := &out[k]
			l.InHand, l.Places, l.Processes = l.InHand+w.InHand, l.Places+w.Places, l.Processes+1
			l.Window = max(l.Window, w.Window)
		}
	}
	for i := range under {
		w := &under[i]
		if w.Lane == "" {
			continue
		}
		k := slices.IndexFunc(out, func(l Lane) bool { return l.Lane == string(w.Lane) })
		if k < 0 {
			k = len(out)
			out = append(out, Lane{Lane: string(w.Lane)})
		}
		l := &out[k]
		l.Open += w.Open
		if l.Oldest.IsZero() || w.AcceptedAt.Before(l.Oldest) {
			l.Oldest = w.AcceptedAt
		}
	}
	order := push.Lanes()
	slices.SortStableFunc(out, func(a, b Lane) int {
		return cmp.Or(cmp.Compare(slices.Index(order, push.Lane(a.Lane)), slices.Index(order, push.Lane(b.Lane))), cmp.Compare(a.Lane, b.Lane))
	})
	return out
}

// rates sums the living processes' rates.
func rates(all []Seen) (sum Rates) {
	for i := range all {
		if r := &all[i].Rates; !all[i].Silent {
			sum.Accepted, sum.Ended, sum.Sent = sum.Accepted+r.Accepted, sum.Ended+r.Ended, sum.Sent+r.Sent
		}
	}
	return sum
}

// sum joins what runs by tenant: those with the most open first.
func (s *Status) sum() {
	byName := map[string]*Tenant{}
	tenant := func(name string) *Tenant {
		t := byName[name]
		if t == nil {
			t = &Tenant{Name: name}
			byName[name] = t
		}
		return t
	}
	s.Counted = !s.More
	for i := range s.Running {
		w := &s.Running[i]
		t := tenant(w.Tenant)
		t.Running++
		t.Open += w.Open
		s.Open += w.Open
		s.Counted = s.Counted && w.Counted
		if w.Reason == reasonDeferred {
			t.Deferred++
		}
		for _, oldest := range []*time.Time{&t.Oldest, &s.Oldest} {
			if oldest.IsZero() || w.AcceptedAt.Before(*oldest) {
				*oldest = w.AcceptedAt
			}
		}
	}
	for i := range s.Pauses {
		if p := &s.Pauses[i]; p.Tenant != "" {
			t := tenant(p.Tenant)
			if t.Paused == "" || p.whole() {
				t.Paused = p.What
			}
		}
	}
	for _, t := range byName {
		s.Tenants = append(s.Tenants, *t)
	}
	slices.SortFunc(s.Tenants, func(a, b Tenant) int { return cmp.Or(cmp.Compare(b.Open, a.Open), strings.Compare(a.Name, b.Name)) })
}

// whole reports whether a pause is of all that it is of: of everything, or of all of a tenant.
func (p *Pause) whole() bool { return p.App == "" && p.Lane == "" && p.Label == "" }

// stops reports whether a pause stops something that runs.
func (p *Pause) stops(w *Running) bool {
	b := push.Bounds{Tenant: p.Tenant, App: p.App, Lane: p.Lane, Label: p.Label}
	return b.Cover(w.Tenant, w.App, w.Lane, w.Labels)
}
