package outcome_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/outcome"
)

var t0 = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

func TestNewWave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		share float64
		least int
		span  time.Duration
		ok    bool
	}{
		{"defaults", outcome.DefaultWaveShare, outcome.DefaultWaveLeast, outcome.DefaultWaveSpan, true},
		{"everybody", 1, 1, 10 * time.Millisecond, true},
		{"no share", 0, 1, time.Minute, false},
		{"more than all", 1.1, 1, time.Minute, false},
		{"not a number", math.NaN(), 1, time.Minute, false},
		{"no answers", 0.5, 0, time.Minute, false},
		{"no span", 0.5, 1, time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if w, err := outcome.NewWave(c.share, c.least, c.span); (err == nil) != c.ok || (w == nil) == c.ok {
				t.Errorf("got %v, %v", w, err)
			}
		})
	}
}

func TestWaveBoundaries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		answered, gone int
		calm           bool
	}{
		{"nothing", 0, 0, true},
		{"too few answers", 99, 99, true},
		{"just the share", 100, 50, true},
		{"one more", 100, 51, false},
		{"all", 1000, 1000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := outcome.NewWave(0.5, 100, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if changed := w.Observe(c.answered, c.gone, t0); changed == c.calm || w.Calm() != c.calm {
				t.Errorf("changed %t, calm %t", changed, w.Calm())
			}
			if w.Observe(0, 0, t0) {
				t.Error("changed by nothing")
			}
			if w.Observe(0, 0, t0.Add(59*time.Second)) && c.calm {
				t.Error("changed by time")
			}
			w.Observe(0, 0, t0.Add(66*time.Second))
			if !w.Calm() {
				t.Error("what is longer ago than the span still counts")
			}
		})
	}
}

// TestWaveProperties compares the guard with the plain sum over the last span.
// Its buckets may count up to a tenth more or less of it.
func TestWaveProperties(t *testing.T) {
	t.Parallel()
	const span, least, share = 10 * time.Minute, 50, 0.3
	rapid.Check(t, func(t *rapid.T) {
		w, err := outcome.NewWave(share, least, span)
		if err != nil {
			t.Fatal(err)
		}
		type answer struct {
			at             time.Time
			answered, gone int
		}
		var all []answer
		sum := func(now time.Time, back time.Duration) (answered, gone int) {
			for _, a := range all {
				if now.Sub(a.at) < back {
					answered += a.answered
					gone += a.gone
				}
			}
			return answered, gone
		}
		now := t0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 240).Draw(t, "seconds")) * time.Second)
			n := rapid.IntRange(0, 40).Draw(t, "answered")
			a := answer{now, n, rapid.IntRange(0, n).Draw(t, "gone")}
			all = append(all, a)
			before := w.Calm()
			if changed := w.Observe(a.answered, a.gone, now); changed != (before != w.Calm()) {
				t.Fatal("change not told")
			}
			if most, _ := sum(now, span); most < least && !w.Calm() {
				t.Fatalf("raised by %d answers, fewer than %d", most, least)
			}
			shorter, _ := sum(now, span*9/10)
			longer, goneLonger := sum(now, span)
			if _, gone := sum(now, span*9/10); shorter >= least && longer == shorter && w.Calm() == (float64(gone) > share*float64(shorter)) {
				t.Fatalf("%d of %d gone, calm is %t", goneLonger, longer, w.Calm())
			}
		}
		now = now.Add(span)
		w.Observe(0, 0, now)
		if !w.Calm() {
			t.Fatal("does not recover")
		}
	})
}
