package sharedrate

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A cut halves the rate for all at once, which then grows back by equal amounts in equal times; soon after one another cut
// is none, and a pause only puts off the recovery.
func TestSlow(t *testing.T) {
	t.Parallel()
	const recovery = 100 * time.Second
	var s slow
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	near("no cut", s.worth(0, time.Minute, recovery), 60)
	s = s.cut(10*time.Second, cut{to: 0.5}, recovery)
	near("before", s.factor(time.Second, recovery), 0.5)
	near("cut", s.factor(10*time.Second, recovery), 0.5)
	near("recovering", s.factor(30*time.Second, recovery), 0.7)
	near("over", s.factor(70*time.Second, recovery), 1)
	near("20 s", s.worth(10*time.Second, 30*time.Second, recovery), 12)
	near("70 s", s.worth(10*time.Second, 80*time.Second, recovery), 37.5+20)
	if again := s.cut(10900*time.Millisecond, cut{to: 0.5}, recovery); again != s {
		t.Errorf("what two noticed is cut twice: %+v", again)
	}
	s = s.cut(30*time.Second, cut{to: 0.5, pause: 10 * time.Second}, recovery)
	near("in the pause", s.factor(39*time.Second, recovery), 0.35)
	if s = s.cut(31*time.Second, cut{to: 0.5, pause: 20 * time.Second}, recovery); s.To != 0.35 || s.At != 51*time.Second {
		t.Errorf("a longer pause: %+v", s)
	}
	for range 10 {
		s = s.cut(s.At+2*time.Second, cut{to: 0.1}, recovery)
	}
	near("the least", s.To, cutLeast)
}

// What one process cuts holds for the other, and whoever looks at the document later knows of it.
func TestCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, limit := newWorld(t), Limit{Tokens: 1_000, Per: time.Second, Burst: 100, Recover: 10 * time.Second}
		one, stopOne := w.process("one")
		defer stopOne()
		other, stopOther := w.process("other")
		defer stopOther()
		a, b := w.bucket(one, limit), w.bucket(other, limit)
		if share, away := b.Share(); share != 1000 || away {
			t.Errorf("before anybody asks: %v, %t", share, away)
		}
		share := func() float64 {
			_, _ = b.Ask(t.Context(), 40) // in time it tells the store
			time.Sleep(20 * time.Millisecond)
			got, _ := b.Share()
			return got
		}
		_, _ = a.Ask(t.Context(), 1)
		_, _ = b.Ask(t.Context(), 1)
		a.Cut(0.5, time.Second)
		time.Sleep(500 * time.Millisecond)
		if got := share(); got < 450 || got > 500 {
			t.Errorf("after a cut: %v", got)
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			share()
		}
		if got := share(); got < 990 {
			t.Errorf("recovered: %v", got)
		}
	})
}
