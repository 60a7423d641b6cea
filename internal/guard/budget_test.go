package guard

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig("a")
	cfg.BudgetBurst, cfg.BudgetMin, cfg.BudgetRatio = 2, 0.5, 0.1
	for _, tc := range []struct {
		name string
		do   func(b *budget)
		at   time.Duration
		want int // retries to be had
	}{
		{"starts full", func(*budget) {}, 0, 2},
		{"spent", func(b *budget) { b.take(TrafficRetry, 0); b.take(TrafficRetry, 0) }, 0, 0},
		{"ten successes earn a retry", func(b *budget) {
			b.take(TrafficRetry, 0)
			b.take(TrafficRetry, 0)
			for range 10 {
				b.earn(false)
			}
		}, 0, 1},
		{"nine do not", func(b *budget) {
			b.take(TrafficRetry, 0)
			b.take(TrafficRetry, 0)
			for range 9 {
				b.earn(false)
			}
		}, 0, 0},
		{"a healthy retry gets its cost back", func(b *budget) { b.take(TrafficRetry, 0); b.take(TrafficRetry, 0); b.earn(true) }, 0, 1},
		{"a request not made costs nothing", func(b *budget) { b.take(TrafficRetry, 0); b.refund() }, 0, 2},
		{"time earns too", func(b *budget) { b.take(TrafficRetry, 0); b.take(TrafficRetry, 0) }, 2 * time.Second, 1},
		{"not beyond the burst", func(b *budget) { b.earn(true); b.earn(true) }, time.Hour, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBudget(cfg)
			tc.do(b)
			got := 0
			for b.take(TrafficRetry, tc.at) {
				got++
			}
			if got != tc.want {
				t.Fatalf("got %d retries, want %d", got, tc.want)
			}
		})
	}
}

// Replays leave a quarter of the purse, but never all of it.
func TestBudgetOfReplays(t *testing.T) {
	t.Parallel()
	for burst, want := range map[float64]int{1: 1, 2: 1, 4: 3, 1000: 750} {
		cfg := DefaultConfig("a")
		cfg.BudgetBurst, cfg.BudgetMin = burst, 0
		b := newBudget(cfg)
		got := 0
		for b.take(TrafficReplay, 0) {
			got++
		}
		if got != want || b.has(TrafficReplay, 0) || b.has(TrafficRetry, 0) != (burst > 1) {
			t.Errorf("of %v: %d for replays, want %d; then %v left", burst, got, want, b.left(0))
		}
	}
}

// Whatever happens, retries made without a healthy answer are bounded by what
// was saved up, what time gave and a share of the good answers.
func TestBudgetBoundsRetries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig("a")
		cfg.BudgetBurst = rapid.Float64Range(1, 50).Draw(t, "burst")
		cfg.BudgetMin = rapid.Float64Range(0, 20).Draw(t, "min")
		b := newBudget(cfg)
		var now time.Duration
		var good, retries float64
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				now += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "pause"))
			case 1:
				b.earn(false)
				good++
			case 2:
				if b.take(TrafficRetry, now) {
					retries++
				}
			}
			if left := b.left(now); left < 0 || left > cfg.BudgetBurst {
				t.Fatalf("purse holds %v of %v", left, cfg.BudgetBurst)
			}
		}
		if most := cfg.BudgetBurst + good*cfg.BudgetRatio + now.Seconds()*cfg.BudgetMin; retries > most+1e-6 {
			t.Fatalf("%v retries, at most %v allowed", retries, most)
		}
	})
}
