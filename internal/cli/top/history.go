package top

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/live"
)

const (
	mostSamples = 120 // of a rate: four minutes at the usual two seconds
	mostChanges = 40
	// rateOver is over how long the pace of one notification is measured: its sums come in steps.
	rateOver = 30 * time.Second
)

// history is what was seen since it began. It is a value too: nothing in it is changed, it is made anew.
type history struct {
	in, out, open []float64           // a sample for each answer; NaN where none came
	under         map[string][]sample // open recipients of what is running
	depth         map[string][]float64
	changes       []change
}

type sample struct {
	at   time.Time
	open int64
}

// change is something that happened.
type change struct {
	at    time.Time
	about string // the section's row that it is about
	text  string
	state string // what it is now, for its colour
}

// with is samples and one more, without the oldest of too many.
func with[T any](samples []T, one T, most int) []T {
	from := max(0, len(samples)+1-most)
	return append(append(make([]T, 0, len(samples)+1-from), samples[from:]...), one)
}

// gap is the history after no answer came.
func (h history) gap() history {
	h.in, h.out, h.open = with(h.in, math.NaN(), mostSamples), with(h.out, math.NaN(), mostSamples), with(h.open, math.NaN(), mostSamples)
	return h
}

// add is the history after an answer; was is the one before, nil for none.
func (h history) add(was, s *client.Status) history {
	if r := s.Rates; r != nil {
		h.in, h.out = with(h.in, r.Accepted, mostSamples), with(h.out, r.Ended, mostSamples)
	}
	h.open = with(h.open, float64(s.Open), mostSamples)
	under := make(map[string][]sample, len(s.Running))
	for i := range s.Running {
		r := &s.Running[i]
		before := h.under[r.ID]
		for len(before) > 2 && s.At.Sub(before[1].at) > rateOver {
			before = before[1:]
		}
		if r.Counted && (len(before) == 0 || s.At.After(before[len(before)-1].at)) {
			before = with(before, sample{s.At, r.Open}, mostSamples)
		}
		under[r.ID] = before
	}
	h.under = under
	depth := make(map[string][]float64, len(s.Queues))
	for _, q := range s.Queues {
		depth[q.Name] = with(h.depth[q.Name], float64(q.Visible+q.InFlight+q.Delayed), mostSamples)
	}
	h.depth = depth
	if was != nil {
		for _, c := range changes(was, s) {
			h.changes = with(h.changes, c, mostChanges)
		}
	}
	return h
}

// pace is how many recipients a second get their outcome, of one that is running. ok is false before there are two samples.
func (h history) pace(id string) (perSecond float64, ok bool) {
	s := h.under[id]
	if len(s) < 2 {
		return 0, false
	}
	first, last := s[0], s[len(s)-1]
	return max(0, float64(first.open-last.open)) / last.at.Sub(first.at).Seconds(), true
}

// changes are what an operator wants to have been told between two answers.
func changes(was, is *client.Status) []change {
	var out []change
	say := func(about, text, state string) { out = append(out, change{is.At, about, text, state}) }
	if was.Health != is.Health {
		say("", string(was.Health)+" → "+string(is.Health)+": "+is.Headline, string(is.Health))
	}
	compare(was.Credentials, is.Credentials, func(c *client.StatusCredential) string { return c.Label },
		func(before, c *client.StatusCredential) {
			if c == nil {
				return
			}
			state, until, cause := live.Stand(c, is.At)
			old := "new"
			if before != nil {
				old, _, _ = live.Stand(before, was.At)
			}
			if old == state {
				return
			}
			text := c.Label + ": " + old + " → " + state
			if cause != "" && state != "closed" {
				text += " (" + cause + ")"
			}
			if until != "" {
				text += " until " + until
			}
			say(c.Label, text, state)
		})
	compare(was.Processes, is.Processes, func(p *client.StatusProcess) string { return p.ID },
		func(before, p *client.StatusProcess) {
			switch {
			case p == nil:
				say(before.ID, before.Kind+" "+live.Host(before.ID)+" ended", "")
			case before == nil:
				say(p.ID, p.Kind+" "+live.Host(p.ID)+" started", p.State)
			case before.State != p.State:
				say(p.ID, p.Kind+" "+live.Host(p.ID)+": "+before.State+" → "+p.State, p.State)
			}
		})
	compare(was.Pauses, is.Pauses, func(p *client.StatusPause) string { return p.ID },
		func(before, p *client.StatusPause) {
			switch {
			case p == nil:
				say(before.ID, before.What+" goes on", "ok")
			case before == nil:
				say(p.ID, fmt.Sprintf("%s paused by %s", p.What, p.By), "paused")
			}
		})
	return out
}

// compare calls f with each thing as it was and as it is, nil for one that is not there.
func compare[T any](was, is []T, name func(*T) string, f func(was, is *T)) {
	old := make(map[string]*T, len(was))
	for i := range was {
		old[name(&was[i])] = &was[i]
	}
	for i := range is {
		n := name(&is[i])
		f(old[n], &is[i])
		delete(old, n)
	}
	for i := range was {
		if gone := old[name(&was[i])]; gone != nil {
			f(gone, nil)
		}
	}
}

// sparkline draws the last samples, the highest as a full block; a dot is one that is not known.
func sparkline(samples []float64, width int) string {
	samples = samples[max(0, len(samples)-width):]
	most := 0.0
	for _, v := range samples {
		if !math.IsNaN(v) {
			most = max(most, v)
		}
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range samples {
		switch {
		case math.IsNaN(v):
			b.WriteRune('·')
		case most == 0 || v <= 0:
			b.WriteRune(blocks[0])
		default:
			b.WriteRune(blocks[int(math.Ceil(v/most*float64(len(blocks))))-1])
		}
	}
	return b.String()
}
