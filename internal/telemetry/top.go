package telemetry

import (
	"maps"
	"slices"
	"strings"
)

// Other is the label of all values that have none of their own. No tenant can have that name.
const Other = "_other"

// Top chooses which values of an open set, such as tenants, get a label of their own in metrics: those with the
// most use, n at most, so that whoever makes up values cannot make a registry grow. It is
// sticky: who has a label loses it only to one with more than twice the use, and use is forgotten slowly,
// so that series do not flap. A Top is for one goroutine.
type Top struct {
	n     int
	score map[string]float64 // of those that have a label
}

// NewTop returns a choice of n values, n > 0.
func NewTop(n int) *Top { return &Top{n: n, score: map[string]float64{}} }

const (
	// forget is how much of a score remains from one choice to the next: half after 35.
	forget = 0.98
	// twice is how much more use takes a label away.
	twice = 2
)

// Choose takes how much each value was used lately, and returns those that have a label now, by name, and those
// that lost theirs.
func (t *Top) Choose(use map[string]int64) (shown, lost []string) {
	for name, s := range t.score {
		t.score[name] = max(s*forget, float64(use[name]))
	}
	rest := slices.DeleteFunc(slices.Collect(maps.Keys(use)), func(name string) bool {
		_, has := t.score[name]
		return has || use[name] <= 0
	})
	slices.SortFunc(rest, func(a, b string) int {
		if use[a] != use[b] {
			return int(min(max(use[b]-use[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	for _, name := range rest {
		if len(t.score) >= t.n {
			least := t.least()
			if float64(use[name]) <= twice*t.score[least] {
				break // those behind it have less use
			}
			delete(t.score, least)
			lost = append(lost, least)
		}
		t.score[name] = float64(use[name])
	}
	return slices.Sorted(maps.Keys(t.score)), lost
}

// least returns the value with the lowest score.
func (t *Top) least() (least string) {
	for _, name := range slices.Sorted(maps.Keys(t.score)) {
		if least == "" || t.score[name] < t.score[least] {
			least = name
		}
	}
	return least
}
