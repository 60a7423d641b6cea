package retention_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/wire"
)

// stores are a ledger, pages, letters and a dead-letter queue, of which tests need little.
type stores struct {
	all     []push.Notification // in the order of acceptance
	changed map[push.ID]time.Time
	retired map[push.ID]time.Time
	pages   map[push.ID]int
	letters map[push.ID]bool
	died    map[push.ID]bool
	dead    [][]byte
}

func (s *stores) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	i := slices.IndexFunc(s.all, func(n push.Notification) bool { return n.ID == id })
	if _, gone := s.retired[id]; i < 0 || gone {
		return push.Notification{}, push.ErrNotFound
	}
	return s.all[i], nil
}

func (s *stores) Keeps(context.Context) (keeps []int, _ error) {
	for i := range s.all {
		if days := s.all[i].Progress.KeepDays; !slices.Contains(keeps, days) {
			keeps = append(keeps, days)
		}
	}
	return keeps, nil
}

func (s *stores) Aged(_ context.Context, days int, after string, limit int) (out []ledger.Aged, _ error) {
	from, _ := strconv.Atoi(after)
	for i := from; i < len(s.all) && len(out) < limit; i++ {
		if _, gone := s.retired[s.all[i].ID]; !gone && s.all[i].Progress.KeepDays == days {
			a := ledger.AgedOf(&s.all[i])
			a.Place, a.ChangedAt = strconv.Itoa(i+1), s.changed[a.ID]
			out = append(out, a)
		}
	}
	return out, nil
}

func (s *stores) Retire(_ context.Context, ns []ledger.Aged, at time.Time) ([]bool, error) {
	for i := range ns {
		s.retired[ns[i].ID] = at
	}
	return make([]bool, len(ns)), nil
}

func (s *stores) Retired(_ context.Context, before time.Time, _ int) (ids []push.ID, _ error) {
	for id, at := range s.retired {
		if at.Before(before) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *stores) Erase(_ context.Context, ids []push.ID, _ int) (int, error) {
	for _, id := range ids {
		delete(s.retired, id)
		s.all = slices.DeleteFunc(s.all, func(n push.Notification) bool { return n.ID == id })
	}
	return len(ids), nil
}

func (s *stores) PageOwners(_ context.Context, after int64, _ int) (owners []push.ID, next int64, _ error) {
	for i, n := range s.all {
		if int64(i) >= after && s.pages[n.ID] > 0 {
			owners, next = append(owners, n.ID), int64(i)+1
		}
	}
	return owners, next, nil
}

func (s *stores) RemovePages(_ context.Context, id push.ID, limit int) (int, error) {
	n := min(s.pages[id], limit)
	s.pages[id] -= n
	return n, nil
}

func (s *stores) HasLetters(_ context.Context, id push.ID) (bool, error) { return s.letters[id], nil }

// Counts says of some that they gave somebody up.
func (s *stores) Counts(_ context.Context, id push.ID) (sum ledger.Counts, _ error) {
	if s.died[id] {
		sum.ByCode[push.CodeAttemptsExhausted] = 1
	}
	return sum, nil
}

func (s *stores) Peek(_ context.Context, _ int, visit func(body []byte)) (int, error) {
	for _, b := range s.dead {
		visit(b)
	}
	return len(s.dead), nil
}

const (
	keep      = 30 * 24 * time.Hour
	keepPages = 10 * 24 * time.Hour
)

// in runs a test in a bubble; pass sweeps once, and again when what was retired may be erased.
func in(t *testing.T, run func(t *testing.T, s *stores, reg *prometheus.Registry, pass func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stores{
			changed: map[push.ID]time.Time{}, retired: map[push.ID]time.Time{}, pages: map[push.ID]int{}, letters: map[push.ID]bool{},
			died: map[push.ID]bool{},
		}
		reg := prometheus.NewPedanticRegistry()
		m := retention.NewMetrics(reg)
		about := &retention.Letters{Store: s, Dead: []retention.DeadQueue{s}}
		ns := &retention.Notifications{Ledger: s, Pages: s, Letters: about, Keep: keep, Metrics: m}
		pages := &retention.Pages{Ledger: s, Pages: s, Letters: about, Keep: keepPages}
		run(t, s, reg, func() {
			for range 2 {
				for _, sweep := range []retention.Sweep{ns.Sweep(), pages.Sweep()} {
					for more := true; more; {
						var err error
						if _, more, err = sweep.Step(t.Context(), time.Now()); err != nil {
							t.Fatal(err)
						}
					}
				}
				wait := time.NewTimer(10 * time.Minute)
				<-wait.C
			}
		})
	})
}

// put stores a notification with two pages, as of so long ago.
func (s *stores) put(ago time.Duration, p push.Progress) push.ID {
	at := time.Now().Add(-ago)
	p.Enqueued = p.Enqueued || p.State != push.StateUploading
	n := push.Notification{ID: push.NewID(push.PrefixBatch), AcceptedAt: at, Progress: p}
	s.all = append(s.all, n)
	s.pages[n.ID] = 2
	return n.ID
}

func (s *stores) has(id push.ID) (notification, pages bool) {
	_, err := s.Notification(context.Background(), id)
	return err == nil, s.pages[id] > 0
}

func task(t *testing.T, id push.ID) []byte {
	t.Helper()
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: id})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestWhatIsKept goes through the states of a notification, and what holds on to it.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	const old, middle = keep + time.Hour, keepPages + time.Hour
	done := push.Progress{State: push.StateCompleted}
	for _, c := range []struct {
		name string
		ago  time.Duration
		p    push.Progress
		tune func(t *testing.T, s *stores, id push.ID)

		kept, pages bool
	}{
		{"completed", old, done, nil, false, false},
		{"completed, its pages past their time", middle, done, nil, true, false},
		{"completed lately", keepPages - time.Hour, done, nil, true, true},
		{"sending", old, push.Progress{State: push.StateSending}, nil, true, true},
		{"paused", old, push.Progress{State: push.StatePaused}, nil, true, true},
		{"in the outbox", old, push.Progress{State: push.StateAccepted}, nil, true, true},
		{"cancelled, and something open", old, push.Progress{State: push.StateCancelled}, nil, true, true},
		{"cancelled", old, push.Progress{State: push.StateCancelled, Finished: true}, nil, false, false},
		{"an abandoned upload", old, push.Progress{State: push.StateUploading}, nil, false, false},
		{"an upload that waits", middle, push.Progress{State: push.StateUploading}, nil, true, true},
		{"an upload under way", old, push.Progress{State: push.StateUploading}, func(_ *testing.T, s *stores, id push.ID) {
			s.changed[id] = time.Now()
		}, true, true},
		{"dead-lettered", old, push.Progress{State: push.StateDeadLettered, Finished: true}, nil, false, false},
		{
			"dead-lettered, and its letter waits", old,
			push.Progress{State: push.StateDeadLettered, Finished: true},
			func(_ *testing.T, s *stores, id push.ID) { s.letters[id] = true }, true, true,
		},
		{
			"dead-lettered, and not drained", old,
			push.Progress{State: push.StateDeadLettered, Finished: true},
			func(t *testing.T, s *stores, id push.ID) { t.Helper(); s.dead = [][]byte{task(t, id)} }, true, true,
		},
		{"a letter of one recipient", old, done, func(_ *testing.T, s *stores, id push.ID) { s.letters[id] = true }, true, false},
		{"a letter that is not drained", old, done, func(t *testing.T, s *stores, id push.ID) {
			t.Helper()
			s.dead = [][]byte{task(t, id)}
		}, true, false},
		{"another's letter", old, done, func(t *testing.T, s *stores, _ push.ID) {
			t.Helper()
			s.dead = [][]byte{task(t, push.NewID(push.PrefixNotification)), []byte("{}")}
		}, false, false},
		{"a letter that nobody can read", old, done, func(_ *testing.T, s *stores, _ push.ID) {
			s.dead = [][]byte{[]byte(`{"v":99,"type":"task"}`)}
		}, true, false},
		{"ended lately", old, push.Progress{State: push.StateCompleted, CompletedAt: time.Now()}, nil, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, s *stores, _ *prometheus.Registry, pass func()) {
				t.Helper()
				if !c.p.CompletedAt.IsZero() {
					c.p.CompletedAt = time.Now()
				}
				id := s.put(c.ago, c.p)
				if c.tune != nil {
					c.tune(t, s, id)
				}
				pass()
				if kept, pages := s.has(id); kept != c.kept || pages != c.pages {
					t.Errorf("kept: %t, with pages: %t, want %t and %t", kept, pages, c.kept, c.pages)
				}
			})
		})
	}
}

// TestLongWay: a pass goes on behind what is kept, and says how much that is.
func TestLongWay(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *stores, reg *prometheus.Registry, pass func()) {
		t.Helper()
		for i := range 1000 {
			p := push.Progress{State: push.StateCompleted}
			if i%2 == 0 {
				p.State = push.StatePaused
			}
			id := s.put(2*keep, p)
			if i%4 == 1 {
				s.letters[id] = true
			}
		}
		future := s.put(-1000*time.Hour, push.Progress{State: push.StateCompleted}) // of a clock that was ahead
		last := s.put(2*keep, push.Progress{State: push.StateCompleted})
		young := s.put(time.Hour, push.Progress{State: push.StateCompleted})
		pass()
		if len(s.all) != 500+250+2 {
			t.Errorf("%d are kept", len(s.all))
		}
		for id, want := range map[push.ID]bool{future: true, last: false, young: true} {
			if kept, _ := s.has(id); kept != want {
				t.Errorf("kept: %t, want %t", kept, want)
			}
		}
		for why, want := range map[string]float64{"unfinished": 500, "dead_letter": 250, "undrained": 0} {
			if got := value(t, reg, "belfry_retention_kept", why); got != want {
				t.Errorf("%v are kept as %s, want %v", got, why, want)
			}
		}
	})
}

// TestKeptForDays: each notification goes by the days that were settled when it was accepted, and none is
// kept longer than the deployment says.
func TestKeptForDays(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	done := push.Progress{State: push.StateCompleted}
	for _, c := range []struct {
		name string
		days int
		ago  time.Duration
		most time.Duration // of the deployment
		kept bool
	}{
		{"a week, after less", 7, 6 * day, keep, true},
		{"a week, after more", 7, 8 * day, keep, false},
		{"nothing settled", 0, 8 * day, keep, true},
		{"nothing settled, past the deployment's time", 0, keep + day, keep, false},
		{"a year, where nothing is kept as long", 365, keep + day, keep, false},
		{"a year, where all is kept for ever", 365, 364 * day, 0, true},
		{"a year, where all is kept for ever, after more", 365, 366 * day, 0, false},
		{"nothing settled, where all is kept for ever", 0, 10_000 * day, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, s *stores, _ *prometheus.Registry, _ func()) {
				t.Helper()
				p := done
				p.KeepDays = c.days
				id := s.put(c.ago, p)
				s.pass(t, &retention.Notifications{Keep: c.most, Letters: &retention.Letters{Store: s}})
				if kept, _ := s.has(id); kept != c.kept {
					t.Errorf("kept: %t, want %t", kept, c.kept)
				}
			})
		})
	}
}

// pass sweeps notifications until everything is done.
func (s *stores) pass(t *testing.T, n *retention.Notifications) {
	t.Helper()
	n.Ledger, n.Pages, n.Metrics = s, s, retention.NewMetrics(prometheus.NewRegistry())
	sweep := n.Sweep()
	for range 2 {
		for more := true; more; {
			var err error
			if _, more, err = sweep.Step(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		wait := time.NewTimer(10 * time.Minute)
		<-wait.C
	}
}

// TestMixedDays: a pass goes through every number of days to its end, over as many pages as it takes, whatever is
// kept all the same among them.
func TestMixedDays(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, s *stores, _ *prometheus.Registry, pass func()) {
		t.Helper()
		const day, each = 24 * time.Hour, 450
		kept := map[push.ID]bool{}
		for i := range 3 * each {
			days := []int{3, 14, 0}[i%3]
			p := push.Progress{State: push.StateCompleted, KeepDays: days}
			if i%7 == 0 {
				p.State = push.StateSending
			}
			ago := []time.Duration{5 * day, 20 * day}[i%2]
			id := s.put(ago, p)
			kept[id] = p.State == push.StateSending || days == 0 || days == 14 && ago < 14*day
		}
		pass()
		for id, want := range kept {
			if got, _ := s.has(id); got != want {
				t.Fatalf("%s is kept: %t, want %t", id, got, want)
			}
		}
	})
}

// TestHiddenLetters: where nobody can look into dead-letter queues, what gave somebody up is kept for as long as a
// message may be there, and then as long as it has a letter.
func TestHiddenLetters(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name           string
		ago            time.Duration
		died, lettered bool
		state          push.State
		kept           bool
	}{
		{"nobody was given up", 5 * day, false, false, push.StateCompleted, false},
		{"somebody was", 5 * day, true, false, push.StateCompleted, true},
		{"could not be expanded", 5 * day, false, false, push.StateDeadLettered, true},
		{"somebody was, long ago", 16 * day, true, false, push.StateCompleted, false},
		{"somebody was, long ago, and has a letter", 16 * day, true, true, push.StateCompleted, true},
		{"a letter", 5 * day, false, true, push.StateCompleted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, s *stores, _ *prometheus.Registry, _ func()) {
				t.Helper()
				id := s.put(c.ago, push.Progress{State: c.state, Finished: true, KeepDays: 3})
				s.died[id], s.letters[id] = c.died, c.lettered
				s.pass(t, &retention.Notifications{Letters: &retention.Letters{Store: s, Hidden: 15 * day, Sums: s}})
				if kept, _ := s.has(id); kept != c.kept {
					t.Errorf("kept: %t, want %t", kept, c.kept)
				}
			})
		})
	}
}

// TestSeldom: a pass that is under way is gone on with, and one that is over begins again when its time has come.
func TestSeldom(t *testing.T) {
	t.Parallel()
	left, began := 3, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	failing := false
	s := retention.Seldom(time.Hour, retention.Sweep{What: "x", Step: func(context.Context, time.Time) (int, bool, error) {
		if failing {
			return 0, false, push.ErrConflict
		}
		left--
		return 1, left > 0, nil
	}})
	pass := func(after time.Duration) (n int) {
		for more := true; more; {
			var some int
			some, more, _ = s.Step(t.Context(), began.Add(after))
			n += some
		}
		return n
	}
	for _, c := range []struct {
		after time.Duration
		fails bool
		want  int
	}{{0, false, 3}, {30 * time.Minute, false, 0}, {time.Hour, true, 0}, {70 * time.Minute, false, 3}, {80 * time.Minute, false, 0}} {
		left, failing = 3, c.fails
		if got := pass(c.after); got != c.want {
			t.Errorf("after %v it did %d, want %d", c.after, got, c.want)
		}
	}
}
