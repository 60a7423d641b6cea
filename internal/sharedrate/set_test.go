package sharedrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store that several processes share, which takes a few milliseconds for a call, as DynamoDB does.
type world struct {
	*testing.T

	docs  *documenttest.Memory
	down  atomic.Bool
	slow  atomic.Int64 // more a call
	calls atomic.Int64
	wg    sync.WaitGroup
}

var errDown = errors.New("the store is down")

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{T: t, docs: &documenttest.Memory{}}
}

func (w *world) store() document.Store {
	return documenttest.Around{Store: w.docs, Do: func(_ string, effect func() error) error {
		w.calls.Add(1)
		time.Sleep(3*time.Millisecond + rand.N(4*time.Millisecond) + time.Duration(w.slow.Load()))
		if w.down.Load() {
			return errDown
		}
		return effect()
	}}
}

// process starts a process. The returned function stops it, and tells it to give back what it has.
func (w *world) process(name string) (*Set, func()) {
	w.Helper()
	s, err := New(Config{Documents: w.store(), Process: name, Log: zap.NewNop()})
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	return s, func() { stop(); <-ended }
}

func (w *world) bucket(s *Set, limit Limit) *Bucket {
	w.Helper()
	b, err := s.Bucket("b", limit)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// hungry takes single tokens as fast as they come, until ctx ends, and returns how many.
func hungry(ctx context.Context, b *Bucket) int64 {
	var n int64
	for b.Wait(ctx, 1) == nil {
		n++
	}
	return n
}

// instances starts n processes that take what they get until ctx ends, and returns how much each took.
func (w *world) instances(ctx context.Context, n int, limit Limit) []int64 {
	took := make([]int64, n)
	var stops []func()
	for k := range took {
		s, stop := w.process(fmt.Sprint("i", k)) //nolint:contextcheck // it lives until it is stopped
		stops = append(stops, stop)
		b := w.bucket(s, limit)
		w.wg.Go(func() { took[k] = hungry(ctx, b) })
	}
	w.wg.Wait()
	for _, stop := range stops {
		stop()
	}
	return took
}

func sum(all []int64) (n int64) {
	for _, v := range all {
		n += v
	}
	return n
}

// Three instances, and others, each of which could use up the limit alone: together they take what it gives, at most 1 %
// more and not much less, and each gets its part.
func TestOverAdmission(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		span      time.Duration
		instances int
		limit     Limit
		least     float64 // of what is due
		apart     float64 // how far from a fair part one may be
	}{
		{20 * time.Second, 1, Limit{Tokens: 10_000, Per: time.Second, Burst: 10_000}, 0.9, 0},
		{10 * time.Second, 2, Limit{Tokens: 10_000, Per: time.Second, Burst: 10_000}, 0.9, 0.25},
		{20 * time.Second, 3, Limit{Tokens: 10_000, Per: time.Second, Burst: 10_000}, 0.9, 0.25},
		{10 * time.Second, 3, Limit{Tokens: 600_000, Per: time.Minute, Burst: 5_000}, 0.9, 0.25},
		{60 * time.Second, 3, Limit{Tokens: 100, Per: time.Second, Burst: 100}, 0.95, 0.5},
		{10 * time.Second, 16, Limit{Tokens: 10_000, Per: time.Second, Burst: 10_000}, 0.9, 0.25},
		// A burst of no more than a tenth of a second's worth costs many exchanges, and some of the rate; over
		// so short a span one of many may have much more than the others.
		{10 * time.Second, 3, Limit{Tokens: 10_000, Per: time.Second, Burst: 1_000}, 0.95, 0.5},
		{4 * time.Second, 16, Limit{Tokens: 10_000, Per: time.Second, Burst: 1_000}, 0.8, 2},
	} {
		t.Run(fmt.Sprint(c.instances, " ", c.limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, span := newWorld(t), c.span
				ctx, cancel := context.WithTimeout(t.Context(), span)
				defer cancel()
				took := w.instances(ctx, c.instances, c.limit)
				got, due := float64(sum(took)), float64(c.limit.Burst)+c.limit.rate()*span.Seconds()
				t.Logf("%.2f %% of what is due: %v; %.0f calls/s", 100*got/due, took, float64(w.calls.Load())/span.Seconds())
				if got > due*1.01 || got < due*c.least {
					t.Errorf("%.0f of %.0f", got, due)
				}
				fair := got / float64(c.instances)
				for k, n := range took {
					if float64(n) < fair*(1-min(c.apart, 1))-1 || float64(n) > fair*(1+c.apart)+1 {
						t.Errorf("instance %d took %d, a fair part is %.0f", k, n, fair)
					}
				}
			})
		})
	}
}

// One of three dies without a word: what it had leased is lost, at most a block, and the others have its part soon.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, limit := newWorld(t), Limit{Tokens: 1_000, Per: time.Second, Burst: 1_000}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		victim, stop := w.process("victim")
		defer stop()
		dying, die := context.WithTimeout(ctx, 20*time.Second)
		defer die()
		var lost int64
		b := w.bucket(victim, limit)
		w.wg.Go(func() { lost = hungry(dying, b) })
		got := sum(w.instances(ctx, 2, limit)) + lost
		due := float64(limit.Burst) + limit.rate()*60
		t.Logf("%.2f %% of what is due; the victim %d", 100*float64(got)/due, lost)
		if float64(got) > due*1.01 || float64(got) < due*0.95 {
			t.Errorf("%d of %.0f", got, due)
		}
	})
}

// The store is away for 30 of 60 seconds: three instances live on their shares, together within the limit, and what they
// took meanwhile is not given a second time. After the grace they stop.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, limit := newWorld(t), Limit{Tokens: 1_000, Per: time.Second, Burst: 1_000}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		w.wg.Go(func() {
			time.Sleep(15 * time.Second)
			w.down.Store(true)
			time.Sleep(30 * time.Second)
			w.down.Store(false)
		})
		got, due := sum(w.instances(ctx, 3, limit)), float64(limit.Burst)+limit.rate()*60
		t.Logf("%.2f %% of what is due", 100*float64(got)/due)
		if float64(got) > due*1.01 || float64(got) < due*0.9 {
			t.Errorf("%d of %.0f", got, due)
		}
	})
}

func TestGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, limit := newWorld(t), Limit{Tokens: 100, Per: time.Second, Burst: 100}
		s, stop := w.process("p")
		b := w.bucket(s, limit)
		w.down.Store(true)
		if a, err := b.Ask(t.Context(), 1); !errors.Is(err, ErrAway) || a.OK {
			t.Errorf("never asked with success, and %+v, %v", a, err)
		}
		time.Sleep(time.Second)
		w.down.Store(false)
		ask := func(when string, ok, away bool) {
			t.Helper()
			time.Sleep(time.Second)
			a, err := b.Ask(t.Context(), 60)
			if a.OK != ok || a.Away != away || (err != nil) != (away && !ok) {
				t.Errorf("%s: %+v, %v", when, a, err)
			}
		}
		_, _ = b.Ask(t.Context(), 1) // it finds out in the background that the store is back
		ask("there", true, false)
		w.down.Store(true)
		begun := time.Now()
		_, _ = b.Ask(t.Context(), 60) // it finds out that the store is away
		for time.Since(begun) < 55*time.Second {
			ask("on its share", true, true)
		}
		if !s.Away() {
			t.Error("it does not say that the store is away")
		}
		time.Sleep(10 * time.Second)
		ask("after the grace", false, true)
		w.down.Store(false)
		time.Sleep(time.Second)
		_, _ = b.Ask(t.Context(), 1)
		ask("back", true, false)
		if s.Away() {
			t.Error("it still says that the store is away")
		}
		stop()
	})
}

// A store that takes a second for a call costs no part of the rate to whoever takes steadily: blocks grow with the delay.
func TestStoreSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, limit := newWorld(t), Limit{Tokens: 1_000, Per: time.Second, Burst: 10_000}
		w.slow.Store(int64(900 * time.Millisecond))
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		got, due := sum(w.instances(ctx, 1, limit)), float64(limit.Burst)+limit.rate()*60
		if float64(got) > due*1.01 || float64(got) < due*0.85 {
			t.Errorf("%d of %.0f", got, due)
		}
	})
}

// A flood of refused takes is not a flood of calls to the store, and each refusal says when to come back.
func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, stop := w.process("p")
		b := w.bucket(s, Limit{Tokens: 60, Per: time.Minute, Burst: 60})
		if a, err := b.Ask(t.Context(), 60); err != nil || !a.OK || a.Remaining != 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		calls := w.calls.Load()
		for range 10_000 {
			a, err := b.Ask(t.Context(), 30)
			if err != nil || a.OK || a.RetryAfter < 29*time.Second || a.RetryAfter > 30*time.Second {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		if got := w.calls.Load() - calls; got > 4 {
			t.Errorf("%d calls for 10,000 refusals", got)
		}
		if a, _ := b.Ask(t.Context(), 61); a.OK || a.RetryAfter != Never {
			t.Errorf("more than it holds: %+v", a)
		}
		time.Sleep(31 * time.Second)
		if a, err := b.Ask(t.Context(), 30); err != nil || !a.OK {
			t.Errorf("31 s later: %+v, %v", a, err)
		}
		stop()
	})
}

// What a process does not use it gives back, soon if it is much, and at its end; a bucket that is full is removed.
func TestGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, day := newWorld(t), Limit{Burst: 1_000}
		s, stop := w.process("p")
		other, stopOther := w.process("q")
		b, o := w.bucket(s, day), w.bucket(other, day)
		if a, err := b.Ask(t.Context(), 500); err != nil || !a.OK {
			t.Fatal(a, err)
		}
		b.Return(499)
		time.Sleep(5 * time.Second)
		if a, err := o.Ask(t.Context(), 999); err != nil || !a.OK {
			t.Errorf("idle tokens were not given back: %+v, %v", a, err)
		}
		o.Return(999)
		stopOther()
		if a, err := b.Ask(t.Context(), 999); err != nil || !a.OK {
			t.Errorf("a process that stopped did not give back: %+v, %v", a, err)
		}
		if a, err := b.Ask(t.Context(), 1); err != nil || a.OK || a.RetryAfter != Never {
			t.Errorf("used up: %+v, %v", a, err)
		}
		if o.Take(1) {
			t.Error("tokens of a set that is closed")
		}
		r, err := s.Bucket("rate", Limit{Tokens: 1_000, Per: time.Second, Burst: 1_000})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.Ask(t.Context(), 1)
		time.Sleep(2 * time.Minute)
		if ds, _, _ := w.docs.Documents(t.Context(), Kind, "", 10); len(ds) != 1 || ds[0].Name != "b" {
			t.Errorf("left: %v", ds)
		}
		stop()
	})
}

// A take costs no call, no lock and no memory.
func BenchmarkTake(b *testing.B) {
	s, err := New(Config{Documents: &documenttest.Memory{}, Process: "p", Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	bucket, err := s.Bucket("b", Limit{Tokens: maxTokens, Per: time.Second, Burst: maxTokens})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := bucket.Ask(b.Context(), 1); err != nil {
		b.Fatal(err)
	}
	bucket.left.Store(maxTokens)
	b.ReportAllocs()
	for b.Loop() {
		if !bucket.Take(1) {
			bucket.until.Store(int64(never))
		}
	}
}

// What is used for a while is put back once, by whoever was first; what was taken since the mark stays taken.
func TestRestore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, allotment := newWorld(t), Limit{Burst: 1_000}
		s, stop := w.process("p")
		b := w.bucket(s, allotment)
		if m, err := b.Mark(t.Context()); err != nil || m.Spent != 0 {
			t.Errorf("%+v, %v before it is stored", m, err)
		}
		take := func(n int64, want bool) {
			t.Helper()
			if a, err := b.Ask(t.Context(), n); err != nil || a.OK != want {
				t.Errorf("%d: %+v, %v", n, a, err)
			}
			time.Sleep(20 * time.Second) // what is left is given back, so that the store knows what is spent
		}
		take(600, true)
		first, err := b.Mark(t.Context())
		if err != nil || first.Spent != 600 {
			t.Fatalf("%+v, %v", first, err)
		}
		second, _ := b.Mark(t.Context())
		take(300, true)
		if err := b.Restore(t.Context(), first, 500); err != nil {
			t.Fatal(err)
		}
		if err := b.Restore(t.Context(), second, 500); !errors.Is(err, push.ErrConflict) {
			t.Errorf("put back twice: %v", err)
		}
		take(601, false)
		take(600, true)
		stop()
	})
}

// What a process took and died with is spent when its lease is over, also if nobody has written the bucket since: a process
// that only looks puts it back.
func TestRestoreOfTheDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, allotment := newWorld(t), Limit{Burst: 100}
		died, err := New(Config{Documents: w.store(), Process: "died", Log: zap.NewNop()}) // it does not run: nothing is given back
		if err != nil {
			t.Fatal(err)
		}
		if a, err := w.bucket(died, allotment).Ask(t.Context(), 100); err != nil || !a.OK {
			t.Fatalf("%+v, %v", a, err)
		}
		s, stop := w.process("later")
		defer stop()
		b := w.bucket(s, allotment)
		m, err := b.Mark(t.Context())
		if err != nil || m.Spent != 0 {
			t.Errorf("%+v, %v while the lease holds", m, err)
		}
		time.Sleep(time.Minute)
		if m, err = b.Mark(t.Context()); err != nil || m.Spent != 100 {
			t.Fatalf("%+v, %v after the lease", m, err)
		}
		if err := b.Restore(t.Context(), m, 100); err != nil {
			t.Fatal(err)
		}
		if a, err := b.Ask(t.Context(), 100); err != nil || !a.OK {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// A new period begins with a full bucket for all, and a process that is late with it takes of the new one.
func TestPeriods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		today, tomorrow := Limit{Burst: 100, Period: "2026-11-30"}, Limit{Burst: 100, Period: "2026-12-01"}
		s, stop := w.process("p")
		late, stopLate := w.process("late")
		ask := func(b *Bucket, n int64, want bool) {
			t.Helper()
			if a, err := b.Ask(t.Context(), n); err != nil || a.OK != want {
				t.Errorf("%d: %+v, %v", n, a, err)
			}
		}
		b, l := w.bucket(s, today), w.bucket(late, today)
		ask(b, 90, true)
		ask(l, 11, false)
		time.Sleep(3 * time.Second)
		b = w.bucket(s, tomorrow)
		ask(b, 95, true)
		time.Sleep(3 * time.Second)
		ask(l, 11, false)
		ask(l, 2, true)
		stop()
		stopLate()
		if ds, _, _ := w.docs.Documents(t.Context(), Kind, "", 10); len(ds) != 1 {
			t.Errorf("%d documents", len(ds))
		}
	})
}
