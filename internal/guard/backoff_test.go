package guard

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func TestBackoffRange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		backoff    Backoff
		attempt    int
		code       push.Code
		retryAfter time.Duration
		lo, hi     time.Duration
	}{
		{"5xx waits 10 s at least", Backoff{}, 1, push.CodeFCMUnavailable, 0, 10 * time.Second, 20 * time.Second},
		{"attempt 0 is the first", Backoff{}, 0, push.CodeFCMUnavailable, 0, 10 * time.Second, 20 * time.Second},
		{"5xx third attempt", Backoff{}, 3, push.CodeFCMInternal, 0, 10 * time.Second, 50 * time.Second},
		{
			"5xx, a short retry-after does not undercut the floor",
			Backoff{},
			1, push.CodeFCMUnavailable, time.Second, 10 * time.Second,
			20 * time.Second,
		},
		{"5xx, a long retry-after wins", Backoff{}, 1, push.CodeFCMUnavailable, time.Minute, time.Minute, time.Minute},
		{"429 without retry-after", Backoff{}, 1, push.CodeFCMQuotaExceeded, 0, time.Minute, 2 * time.Minute},
		{"429 with retry-after", Backoff{}, 1, push.CodeFCMQuotaExceeded, 5 * time.Second, 5 * time.Second, 10 * time.Second},
		{"429, a retry-after beyond the cap stays as it is", Backoff{}, 4, push.CodeFCMQuotaExceeded, time.Hour, time.Hour, time.Hour},
		{"refused", Backoff{}, 1, push.CodeNetRefused, 0, time.Second, 2 * time.Second},
		{"refused, tenth attempt", Backoff{}, 10, push.CodeNetRefused, 0, time.Second, 513 * time.Second},
		{"capped", Backoff{}, 1 << 40, push.CodeNetRefused, 0, time.Second, 15 * time.Minute},
		{"own cap", Backoff{Max: time.Minute}, 9, push.CodeNetTimeout, 0, 10 * time.Second, time.Minute},
		{"the floor is above the cap", Backoff{Max: time.Second}, 3, push.CodeNetTimeout, 0, 10 * time.Second, 10 * time.Second},
		{"flat", Backoff{Multiplier: 1}, 1 << 40, push.CodeNetTimeout, 0, 10 * time.Second, 20 * time.Second},
		{"scaled for a simulator", Backoff{Scale: 0.01}, 1, push.CodeFCMUnavailable, 0, 100 * time.Millisecond, 200 * time.Millisecond},
		{"a code without floor", Backoff{}, 1, push.CodeOpen, -time.Hour, time.Second, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			least, most := time.Duration(1<<62), time.Duration(0)
			for range 2000 {
				got := tc.backoff.Next(tc.attempt, tc.code, tc.retryAfter, r)
				least, most = min(least, got), max(most, got)
			}
			if least < tc.lo || most > tc.hi {
				t.Fatalf("waits from %v to %v, want %v to %v", least, most, tc.lo, tc.hi)
			}
			// Full jitter: the waits use the whole range.
			if slack := (tc.hi - tc.lo) / 20; least > tc.lo+slack || most < tc.hi-slack {
				t.Fatalf("waits from %v to %v do not fill %v to %v", least, most, tc.lo, tc.hi)
			}
		})
	}
}

func TestBackoffProperties(t *testing.T) {
	t.Parallel()
	codes := push.Codes()
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{
			Multiplier: rapid.Float64Range(1, 10).Draw(t, "multiplier"),
			Max:        time.Duration(rapid.Int64Range(int64(time.Minute), int64(24*time.Hour)).Draw(t, "max")),
		}
		facts := rapid.SampledFrom(codes).Draw(t, "code")
		attempt := rapid.IntRange(-1, 1000).Draw(t, "attempt")
		retryAfter := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "retryAfter"))
		seed := rapid.Uint64().Draw(t, "seed")

		got := b.Next(attempt, facts.Code, retryAfter, rand.New(rand.NewPCG(seed, 0)))
		floor := facts.FirstWait
		if facts.Code == push.CodeFCMQuotaExceeded && retryAfter > 0 {
			floor = retryAfter
		}
		if got < floor || got < retryAfter || got > max(b.Max, retryAfter) {
			t.Fatalf("%v: below the floor %v or retry-after %v, or above the cap %v", got, floor, retryAfter, b.Max)
		}
		if again := b.Next(attempt, facts.Code, retryAfter, rand.New(rand.NewPCG(seed, 0))); again != got {
			t.Fatalf("same source, other wait: %v and %v", got, again)
		}
	})
}
