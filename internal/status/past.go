package status

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// pastMinutes is how many minutes a process remembers, the one that is not over among them.
	pastMinutes = 60
	// waitsMinutes is over how many of them it tells how long the first request to FCM took.
	waitsMinutes = 5
)

// Past is what a process remembers of the last hour: nothing of it outlives the process. What is zero is not stored.
type Past struct {
	Minute int64              `json:"minute,omitempty"` // the last, in minutes since 1970
	Ended  map[string][]int64 `json:"ended,omitempty"`  // recipients with an outcome, by class: of each minute, the last at the end
	Waits  []Waits            `json:"waits,omitempty"`  // of the last five minutes
}

// Waits are how many recipients waited so long, from acceptance or the start of a batch, for their first request to FCM.
type Waits struct {
	From float64 `json:"from,omitempty"` // seconds
	To   float64 `json:"to,omitempty"`   // seconds; 0: without an end
	N    int64   `json:"n"`
}

// minute is what happened in one.
type minute struct {
	at    int64
	ended map[string]int64
	waits map[Waits]int64 // by bounds, with N zero
}

// memory is what a process keeps for its past, the newest minute last. It belongs to one goroutine.
type memory struct {
	ended   map[string]int64 // as it was counted last
	waits   map[Waits]int64
	minutes []minute
}

// note takes what was counted since the process started, and returns what it remembers with that.
func (m *memory) note(now time.Time, ended map[string]int64, waits []Waits) Past {
	at := now.Unix() / int64(time.Minute/time.Second)
	if n := len(m.minutes); n == 0 || m.minutes[n-1].at < at { // a clock that was set back goes on in the newest minute
		m.minutes = append(m.minutes, minute{at: at, ended: map[string]int64{}, waits: map[Waits]int64{}})
	}
	last := &m.minutes[len(m.minutes)-1]
	for class, n := range ended {
		last.ended[class] += max(0, n-m.ended[class])
	}
	counted := make(map[Waits]int64, len(waits))
	for _, w := range waits {
		n := w.N
		w.N = 0
		counted[w] += n
		last.waits[w] += max(0, n-m.waits[w])
	}
	m.ended, m.waits = maps.Clone(ended), counted
	m.minutes = slices.DeleteFunc(m.minutes, func(old minute) bool { return old.at <= last.at-pastMinutes })
	return m.past()
}

func (m *memory) past() Past {
	p := Past{Minute: m.minutes[len(m.minutes)-1].at}
	waits := map[Waits]int64{}
	for _, one := range m.minutes {
		for class, n := range one.ended {
			if n > 0 {
				p.add(class, one.at, n)
			}
		}
		if one.at <= p.Minute-waitsMinutes {
			continue
		}
		for w, n := range one.waits {
			waits[w] += n
		}
	}
	p.Waits = flat(waits)
	return p
}

// add counts recipients of a minute that is at most the last.
func (p *Past) add(class string, at, n int64) {
	ago := int(p.Minute - at)
	if ago < 0 || ago >= pastMinutes {
		return
	}
	if p.Ended == nil {
		p.Ended = map[string][]int64{}
	}
	list := p.Ended[class]
	if missing := ago + 1 - len(list); missing > 0 {
		list = append(make([]int64, missing), list...)
	}
	list[len(list)-1-ago] += n
	p.Ended[class] = list
}

// flat lists what is not zero, the shortest first.
func flat(waits map[Waits]int64) (out []Waits) {
	for w, n := range waits {
		if n > 0 {
			w.N = n
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b Waits) int { return cmp.Compare(a.From, b.From) })
	return out
}

// past joins what processes remember, up to the minute of now. Of one that fell silent, too: what it did was done.
func past(all []Seen, now time.Time) Past {
	sum := Past{Minute: now.Unix() / int64(time.Minute/time.Second)}
	waits := map[Waits]int64{}
	for i := range all {
		p := &all[i].Past
		for class, list := range p.Ended {
			for k, n := range list {
				if at := p.Minute - int64(len(list)-1-k); n > 0 {
					sum.add(class, min(at, sum.Minute), n) // the clock of another machine may be ahead
				}
			}
		}
		if p.Minute <= sum.Minute-waitsMinutes {
			continue
		}
		for _, w := range p.Waits {
			waits[Waits{From: w.From, To: w.To}] += w.N
		}
	}
	sum.Waits = flat(waits)
	return sum
}

// Waited returns how many are counted in waits, and within how many seconds the share of them, from 0 to 1, was sent. Within
// the bounds that a wait is counted by it takes them to be evenly spread.
func (p *Past) Waited(share float64) (n int64, seconds float64) {
	for _, w := range p.Waits {
		n += w.N
	}
	left := share * float64(n)
	for _, w := range p.Waits {
		if left > float64(w.N) {
			left -= float64(w.N)
			continue
		}
		if w.To == 0 {
			return n, w.From
		}
		return n, w.From + (w.To-w.From)*left/float64(w.N)
	}
	return n, 0
}
