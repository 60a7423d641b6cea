package status

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// What processes did is told by the minute for an hour, of all that were heard from, and forgotten behind it.
func TestPast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		ended := map[string]int64{}
		waits := []Waits{}
		fill := func(p *Process) { p.Totals.ByClass, p.Totals.Waits = maps.Clone(ended), slices.Clone(waits) }
		crash, _ := w.run("a", KindDispatcher, fill)
		w.run("b", KindDispatcher, fill)
		time.Sleep(7 * time.Second)
		if p := w.look("").Past; len(p.Ended) != 0 || len(p.Waits) != 0 {
			t.Errorf("nothing was done: %+v", p)
		}
		w.change(func() {
			ended["sent"], ended["permanent"] = 100, 3
			waits = append(waits, Waits{From: 0, To: 0.1, N: 90}, Waits{From: 0.1, To: 1, N: 9}, Waits{From: 60, N: 1})
		})
		time.Sleep(time.Minute)
		w.change(func() { ended["sent"] = 150 })
		time.Sleep(time.Minute)
		s := w.look("")
		if got := s.Past.Ended["sent"]; !slices.Equal(got, []int64{200, 100, 0}) {
			t.Errorf("sent %v", got)
		}
		if got := s.Past.Ended["permanent"]; !slices.Equal(got, []int64{6, 0, 0}) {
			t.Errorf("permanent %v", got)
		}
		for share, want := range map[float64]float64{0.45: 0.05, 0.9: 0.1, 0.99: 1, 1: 60} {
			if n, got := s.Past.Waited(share); n != 200 || got < want-1e-9 || got > want+1e-9 {
				t.Errorf("%v of %d waited %v s, want %v", share, n, got, want)
			}
		}
		// What a process that is gone did was done, until what it said last is forgotten.
		crash()
		time.Sleep(5 * time.Minute)
		if s := w.look(""); sum(s.Past.Ended["sent"]) != 300 || len(s.Past.Waits) != 0 {
			t.Errorf("after the crash, and five minutes: %+v", s.Past)
		}
		time.Sleep(time.Hour)
		if p := w.look("").Past; len(p.Ended) != 0 {
			t.Errorf("after an hour: %+v", p)
		}
		if p := w.look("acme").Past; p.Minute != 0 || p.Ended != nil {
			t.Errorf("a tenant sees %+v", p)
		}
	})
}

func sum(list []int64) (n int64) {
	for _, one := range list {
		n += one
	}
	return n
}

// A clock that is set back takes nothing away, and a beat of an hour in which everything ended is small.
func TestMemory(t *testing.T) {
	t.Parallel()
	var m memory
	at := time.Date(2026, 12, 1, 12, 0, 30, 0, time.UTC)
	m.note(at, map[string]int64{"sent": 10}, nil)
	if p := m.note(at.Add(-10*time.Minute), map[string]int64{"sent": 15}, nil); !slices.Equal(p.Ended["sent"], []int64{15}) {
		t.Errorf("set back: %+v", p)
	}
	for i := range 3 * pastMinutes {
		m.note(at.Add(time.Duration(i)*time.Minute), map[string]int64{"sent": int64(i) * 1_000_000, "permanent": int64(i)}, nil)
	}
	p := m.past()
	text, err := json.Marshal(Process{Past: p})
	if err != nil {
		t.Fatal(err)
	}
	const most = 1 << 10
	if len(p.Ended["sent"]) != pastMinutes || len(m.minutes) != pastMinutes || len(text) > most {
		t.Errorf("%d minutes, %d remembered, %d bytes", len(p.Ended["sent"]), len(m.minutes), len(text))
	}
	all := []Seen{{Process: Process{Past: p}}}
	ahead := time.Unix(p.Minute*60, 0).Add(-2 * time.Minute)
	if got := past(all, ahead).Ended["sent"]; len(got) > pastMinutes || sum(got) < 59_000_000 {
		t.Errorf("the clock of a process is ahead: %v", got)
	}
}

// Lanes say what runs in them since when, with nobody who works on them too.
func TestLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		w.run("a", KindDispatcher, nil)
		first := time.Now().UTC()
		w.send(id(1), "acme", Running{Open: 7, Lane: "bulk"})
		time.Sleep(time.Minute)
		w.send(id(2), "acme", Running{Open: 5, Lane: "bulk"})
		w.send(id(3), "acme", Running{Open: 3, Lane: "high"})
		s := w.look("")
		want := []Lane{
			{Lane: "high", Open: 3, Oldest: first.Add(time.Minute)},
			{Lane: "bulk", InHand: 2, Places: 26, Window: 50, Processes: 1, Open: 12, Oldest: first},
		}
		if !slices.Equal(s.Lanes, want) {
			t.Errorf("%+v, want %+v", s.Lanes, want)
		}
	})
}

// A process begins with what it counted before its first beat.
func TestPastBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		b := NewBeats(BeatConfig{Docs: w.docs, Log: zap.NewNop(), Now: time.Now, ID: "x"})
		b.As(KindDispatcher)
		b.Show(func(_ context.Context, p *Process) { p.Totals.ByClass = map[string]int64{"sent": 4} })
		b.beat(t.Context())
		if got := w.look("").Past.Ended["sent"]; !slices.Equal(got, []int64{4}) {
			t.Errorf("%v", got)
		}
	})
}
