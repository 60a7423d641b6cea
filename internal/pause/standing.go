package pause

import (
	"cmp"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// standing are the pauses that stand, so that few are looked at for a request.
type standing struct {
	all     []Pause // the widest first, as each of the others
	wide    []Pause // of all tenants: a few
	tenants map[string]*tenancy
}

// tenancy are the pauses of a tenant.
type tenancy struct {
	whole  []Pause // without a label
	labels map[push.Label][]Pause
}

func stand(all []Pause) *standing {
	s := &standing{all: slices.Clone(all), tenants: map[string]*tenancy{}}
	slices.SortStableFunc(s.all, func(a, b Pause) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.App, b.App), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Lane, b.Lane))
	})
	for i := range s.all {
		one := s.all[i]
		if one.Tenant == "" {
			s.wide = append(s.wide, one)
			continue
		}
		t := s.tenants[one.Tenant]
		if t == nil {
			t = &tenancy{labels: map[push.Label][]Pause{}}
			s.tenants[one.Tenant] = t
		}
		if one.Label == "" {
			t.whole = append(t.whole, one)
		} else {
			l := push.ParseLabel(one.Label)
			t.labels[l] = append(t.labels[l], one)
		}
	}
	return s
}

// of returns what stops what a notification has on a lane, or nil.
func (s *standing) of(lane push.Lane, n *push.Notification) *Pause {
	if len(s.all) == 0 {
		return nil
	}
	if p := first(s.wide, lane, n); p != nil {
		return p
	}
	t := s.tenants[n.Tenant]
	if t == nil {
		return nil
	}
	found := first(t.whole, lane, n)
	if found != nil || len(t.labels) == 0 {
		return found
	}
	for name, value := range n.Labels {
		for _, l := range [...]push.Label{{Name: name}, {Name: name, Value: value, HasValue: true}} {
			p := first(t.labels[l], lane, n)
			if p != nil && (found == nil || cmp.Or(cmp.Compare(p.App, found.App), cmp.Compare(p.Label, found.Label)) < 0) {
				found = p // the same one each time, in whatever order labels come
			}
		}
	}
	return found
}

func first(of []Pause, lane push.Lane, n *push.Notification) *Pause {
	for i := range of {
		if of[i].Covers(lane, n) {
			return &of[i]
		}
	}
	return nil
}
