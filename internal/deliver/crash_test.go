package deliver_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// scene is one random history: who answers how, and who dies when.
type scene struct {
	n, window, copies int
	guarantee         push.Guarantee
	latency, delay    time.Duration
	cancel            time.Duration // 0: never
	scripts           [][]answer
	deaths            []death
}

func drawScene(t *rapid.T) scene {
	ms := func(label string, values ...int) time.Duration {
		return time.Duration(rapid.SampledFrom(values).Draw(t, label)) * time.Millisecond
	}
	s := scene{
		n: rapid.OneOf(rapid.Just(1), rapid.IntRange(2, 150)).Draw(t, "recipients"), window: rapid.IntRange(1, 40).Draw(t, "window"),
		copies:    rapid.IntRange(1, 3).Draw(t, "copies"),
		guarantee: rapid.SampledFrom([]push.Guarantee{push.AtLeastOnce, push.AtMostOnce}).Draw(t, "guarantee"),
		latency:   ms("latency", 0, 10, 300, 2500), delay: ms("delay", 0, 0, 20, 150), cancel: ms("cancel", 0, 0, 0, 200, 20_000),
	}
	answers := []answer{
		{code: push.CodeSent},
		{code: push.CodeSent},
		{code: push.CodeFCMUnavailable},
		{code: push.CodeFCMUnavailable, accept: true},
		{code: push.CodeNetTimeout, accept: true},
		{code: push.CodeNetTimeout},
		{code: push.CodeNetReset, accept: true},
		{code: push.CodeFCMUnregistered},
		{code: push.CodeNetRefused},
		{code: push.CodeFCMQuotaExceeded, after: 3 * time.Second},
		{code: push.CodeSent, takes: 12 * time.Second},
	}
	script := rapid.SliceOfN(rapid.SampledFrom(answers), 0, 4)
	s.scripts = rapid.SliceOfN(script, 1, 6).Draw(t, "scripts")
	s.deaths = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) death {
		return death{rapid.OneOf(rapid.IntRange(1, 12), rapid.IntRange(1, 400)).Draw(t, "call"), rapid.Bool().Draw(t, "after")}
	}), 0, 5).Draw(t, "deaths")
	return s
}

// TestCrashAnywhere kills processes at random places and lets others go on. In
// the end every recipient has exactly one outcome, whoever FCM took twice is
// flagged, and nobody got it twice who must not.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScene(rt)
		problem := ""
		synctest.Test(t, func(t *testing.T) { problem = s.play(t) })
		if problem != "" {
			rt.Fatalf("%+v: %s", s, problem)
		}
	})
}

func (s *scene) play(t *testing.T) string {
	t.Helper()
	r := setup(t, s.n, func(r *rig) {
		r.cfg.Window = s.window
		r.change(func(n *push.Notification) { n.Guarantee = s.guarantee })
	})
	r.Close() // every process has its own
	r.fcm.latency, r.delay = s.latency, s.delay
	for i := range s.n {
		r.fcm.script[name(i)] = s.scripts[i%len(s.scripts)]
	}
	for range s.copies {
		_ = r.queue.Send(t.Context(), []worker.Outgoing{{Body: r.encode(r.chunk)}})
	}
	if s.cancel > 0 {
		go func() {
			time.Sleep(s.cancel)
			if n, err := r.ledger.Notification(t.Context(), ntfID); err == nil && push.CanMove(n.Progress.State, push.StateCancelled) {
				n.Progress.State = push.StateCancelled
				n.Progress.Version++
				_ = r.ledger.Advance(t.Context(), ntfID, n.Progress)
			}
		}()
	}
	if problem := r.pump(t, s.deaths); problem != "" {
		return problem
	}
	time.Sleep(s.cancel)
	return r.verify(s.guarantee)
}

// verify returns what is wrong with how it ended.
func (r *rig) verify(guarantee push.Guarantee) string {
	l := r.line()
	if l.State != ledger.StateClosed {
		return fmt.Sprintf("the line is %s with %d open", l.State, l.OpenCount())
	}
	reserved := 0 // cells below this were covered by a stored reservation
	for _, l := range r.saves.Saved() {
		reserved = max(reserved, l.Reserved)
	}
	buried := map[int]bool{}
	for _, u := range r.letters() {
		for _, cell := range u.Chunk.Index {
			buried[cell] = true
		}
	}
	for i, c := range l.Cells {
		n := r.fcm.accepted[name(i)]
		switch {
		case !c.Code().Terminal():
			return fmt.Sprintf("%s ended as %s", name(i), c.Code())
		case c.Code() == push.CodeSent && n == 0:
			return name(i) + " is sent, but FCM never took it"
		case n > 1 && !c.PossibleDuplicate():
			return fmt.Sprintf("%s got it %d times and is not flagged", name(i), n)
		case n > 1 && guarantee == push.AtMostOnce:
			return fmt.Sprintf("%s got it %d times, and at most once was asked for", name(i), n)
		case c.Code() == push.CodeAttemptsExhausted && !buried[i]:
			return name(i) + " is dead-lettered without a letter"
		case r.fcm.asked[name(i)] > 0 && i >= reserved:
			return name(i) + " was asked for without a reservation"
		}
	}
	if s := r.head().Progress.State; s != push.StateCompleted && s != push.StateCancelled {
		return fmt.Sprintf("the notification is %s", s)
	}
	return ""
}
