package fanout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/raced"
)

// early stores a batch that was started before its upload.
func (w *world) early(tb testing.TB, perSecond int) push.ID {
	tb.Helper()
	n := w.batch(tb)
	n.Progress.Early, n.Progress.StartedAt, n.PerSecond = true, t0, perSecond
	w.ledger.PutNotification(n)
	return n.ID
}

// TestEarly: pages are planned and sent about a second after they are
// announced, and the batch completes after its upload was declared finished,
// not before.
func TestEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t)
	id := w.early(t, 0)
	w.start(id)
	w.until(t0.Add(10 * time.Second))
	for i := range 5 {
		w.upload(t, id, tokens(1+i*800, 800))
		w.until(w.now.Add(1500 * time.Millisecond))
		if want := 800 * (i + 1); len(w.reached) != want {
			t.Errorf("after page %d %d recipients are reached, want %d", i, len(w.reached), want)
		}
	}
	w.until(w.now.Add(time.Hour))
	if s := w.state(id); s != push.StateAccepted || len(w.done) != 0 {
		t.Errorf("while it is uploaded it is %s, told %d times", s, len(w.done))
	}
	if len(w.tasks) != 1 {
		t.Errorf("%d tasks wait, want the one that looks", len(w.tasks))
	}
	w.upload(t, id, tokens(4001, 1))
	w.change(id, func(p *push.Progress) { p.Early = false })
	w.until(w.now.Add(time.Minute))
	if s := w.state(id); s != push.StateCompleted || len(w.done) != 1 || len(w.reached) != 4001 || len(w.tasks) != 0 {
		t.Errorf("it is %s, told %d times, %d reached, %d tasks left", s, len(w.done), len(w.reached), len(w.tasks))
	}
}

// TestEarlyOnePage: a batch of one page, all of it settled by planning, does not
// complete while others may come.
func TestEarlyOnePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t)
	id := w.early(t, 0)
	w.start(id)
	w.upload(t, id, []push.Recipient{{UserID: "nobody", Line: 1}})
	w.until(t0.Add(time.Minute))
	if s := w.state(id); s != push.StateAccepted || len(w.closed) != 1 {
		t.Errorf("it is %s, %d lines told", s, len(w.closed))
	}
}

// TestEarlyAbandoned: a batch whose uploader vanished ends with its deadline, as
// others do, and so does its chain.
func TestEarlyAbandoned(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, 10} {
		w := newWorld(t, t)
		id := w.early(t, rate)
		w.start(id)
		w.upload(t, id, tokens(1, 100))
		w.until(t0.Add(time.Hour))
		w.outage = true
		w.upload(t, id, tokens(101, 50), tokens(151, 50))
		w.until(t0.Add(push.DefaultTTL + time.Minute))
		w.outage = false
		w.until(w.now.Add(10 * time.Minute))
		counts, _ := w.ledger.Counts(t.Context(), id)
		p := w.head(id).Progress
		if p.State != push.StateCompleted || p.Early || counts.ByCode[push.CodeSent] != 100 || counts.ByCode[push.CodeExpired] != 100 ||
			len(w.tasks) != 0 {
			t.Errorf("%+v, %d sent, %d expired, %d tasks left", p, counts.ByCode[push.CodeSent], counts.ByCode[push.CodeExpired], len(w.tasks))
		}
	}
}

// TestEarlyCancelled: the chain ends, and everyone has an outcome.
func TestEarlyCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t)
	id := w.early(t, 10)
	w.start(id)
	w.upload(t, id, tokens(1, 1000), tokens(1001, 1000))
	w.until(t0.Add(20 * time.Second))
	w.change(id, func(p *push.Progress) { p.State, p.Early = push.StateCancelled, false })
	w.tasks = append(w.tasks, timed[wire.Task]{w.now, wire.Task{Op: wire.OpCancel, Notification: id, Page: wire.AllPages}})
	w.until(w.now.Add(time.Minute))
	counts, _ := w.ledger.Counts(t.Context(), id)
	if !counts.Done(2) || counts.Recipients != 2000 || counts.ByCode[push.CodeSent] < 180 || counts.ByCode[push.CodeSent] > 220 ||
		len(w.tasks) != 0 || len(w.done) != 1 {
		t.Errorf("%d of %d sent, %d tasks left, told %d times", counts.ByCode[push.CodeSent], counts.Recipients, len(w.tasks), len(w.done))
	}
}

// TestPace: whatever the rate, a throttled batch takes its time, and in no
// second more than a second's worth and a chunk are sent.
func TestPace(t *testing.T) {
	t.Parallel()
	all := []struct{ rate, recipients int }{{50, 6000}, {1, 90}, {7, 1000}, {450, 20_000}, {3000, 60_000}, {20_000, 50_000}}
	for _, c := range all[:raced.Rounds(len(all))] {
		w := newWorld(t, t)
		var pages [][]push.Recipient
		for from := 0; from < c.recipients; from += 2800 {
			pages = append(pages, tokens(1+from, min(2800, c.recipients-from)))
		}
		n := w.batch(t, pages...)
		n.PerSecond = c.rate
		w.ledger.PutNotification(n)
		w.start(n.ID)
		should := time.Duration(c.recipients) * time.Second / time.Duration(c.rate)
		w.until(t0.Add(2*should + time.Minute))
		chunk := min(max(c.rate, 20), 500)
		took := w.sent[len(w.sent)-1].at.Sub(t0)
		if most := w.most(time.Second); most > c.rate+chunk {
			t.Errorf("%d/s: %d in one second", c.rate, most)
		}
		last := time.Duration(chunk) * time.Second / time.Duration(c.rate)
		if took < should-last-time.Second || took > should+2*time.Second {
			t.Errorf("%d/s: took %v, want about %v", c.rate, took, should)
		}
		if len(w.reached) != c.recipients || w.state(n.ID) != push.StateCompleted || len(w.tasks) != 0 {
			t.Errorf("%d/s: %d of %d reached, it is %s, %d tasks left", c.rate, len(w.reached), c.recipients, w.state(n.ID), len(w.tasks))
		}
	}
}

// TestPaceUnderTrouble: pauses, resumes, an upload that goes on, a second chain,
// tasks that come twice, and outages of either side. Everyone is reached once,
// and no burst is larger than what may wait on the queue.
func TestPaceUnderTrouble(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt)
		rate := rapid.SampledFrom([]int{5, 60, 700}).Draw(rt, "rate")
		w.repeats = rapid.Bool().Draw(rt, "repeats")
		id := w.early(t, rate)
		w.start(id)
		total := 0
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			more := rapid.IntRange(0, 8*rate).Draw(rt, "more")
			switch rapid.SampledFrom([]string{"upload", "pause", "twice", "dispatcher", "deliver", "nothing"}).Draw(rt, "event") {
			case "upload":
				w.upload(t, id, tokens(1+total, more))
				total += more
			case "pause":
				w.pause(id)
				w.until(w.now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "paused")) * time.Second))
				w.resume(id)
			case "twice":
				w.start(id)
			case "dispatcher": // nobody works for a while
				w.collect()
				w.now = w.now.Add(time.Minute)
			case "deliver":
				w.outage = true
				w.until(w.now.Add(4 * time.Minute))
				w.outage = false
			case "nothing":
			}
			w.until(w.now.Add(time.Duration(rapid.IntRange(0, 8).Draw(rt, "seconds")) * time.Second))
		}
		w.change(id, func(p *push.Progress) { p.Early = false })
		w.until(w.now.Add(time.Duration(2*total/rate)*time.Second + 10*time.Minute))
		if len(w.reached) != total || w.state(id) != push.StateCompleted || len(w.done) != 1 {
			rt.Fatalf("%d of %d reached, it is %s, told %d times", len(w.reached), total, w.state(id), len(w.done))
		}
		for a, times := range w.reached {
			if times != 1 {
				rt.Fatalf("%v was reached %d times", a, times)
			}
		}
		chunk := min(max(rate, 20), 500)
		if most := w.most(time.Second); most > 8*rate+2*chunk {
			rt.Fatalf("%d in one second at %d/s", most, rate)
		}
	})
}

// TestPaceAndSteps: a throttled batch takes as long as always whatever the wall
// clock is set to, and no burst is larger than what may wait on the queue.
func TestPaceAndSteps(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{60, 5, 700}[:raced.Rounds(3)] {
		for _, by := range []time.Duration{-8 * time.Second, -time.Minute, -24 * time.Hour, time.Minute} {
			w := newWorld(t, t)
			n := w.batch(t, tokens(1, 20*rate), tokens(1+20*rate, 20*rate))
			n.PerSecond, n.ExpiresAt = rate, t0.Add(7*24*time.Hour)
			w.ledger.PutNotification(n)
			w.start(n.ID)
			for _, at := range []time.Duration{2 * time.Second, 9 * time.Second, 23 * time.Second} {
				w.until(t0.Add(at))
				w.wall += by
			}
			w.until(t0.Add(time.Hour))
			if len(w.reached) != 40*rate || w.state(n.ID) != push.StateCompleted {
				t.Fatalf("set by %v at %d/s: %d reached, it is %s", by, rate, len(w.reached), w.state(n.ID))
			}
			if took := w.sent[len(w.sent)-1].at.Sub(t0); took > 50*time.Second {
				t.Errorf("set by %v at %d/s: took %v, want about 40s", by, rate, took)
			}
			if most, chunk := w.most(time.Second), min(max(rate, 20), 500); most > 8*rate+2*chunk {
				t.Errorf("set by %v at %d/s: %d in one second", by, rate, most)
			}
		}
	}
}

// TestStuckChunk: a chunk that nobody ever takes does not hold up the rest for
// good.
func TestStuckChunk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t)
	n := w.batch(t, tokens(1, 1000))
	n.PerSecond = 50
	w.ledger.PutNotification(n)
	w.start(n.ID)
	w.outage = true
	w.until(t0)
	w.collect()
	w.chunks = w.chunks[1:]
	w.outage = false
	w.until(t0.Add(4 * time.Minute))
	if len(w.reached) > 250 {
		t.Errorf("%d reached while a chunk is not taken", len(w.reached))
	}
	w.until(t0.Add(10 * time.Minute))
	if len(w.reached) != 950 {
		t.Errorf("%d reached, want all but the chunk that is lost", len(w.reached))
	}
}
