package guard

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/belfry-push/belfry/internal/push"
)

// leastWait is the floor for codes whose taxonomy entry has none.
const leastWait = time.Second

// Backoff says how long a failed delivery waits before its next attempt:
// exponential, with full jitter above the floor that the code demands, so that
// what failed together does not return together. The zero value is ready to
// use; all methods are pure and safe for concurrent use.
type Backoff struct {
	// Multiplier is what the jitter's range grows by with each attempt: 1 to 10,
	// default 2.
	Multiplier float64
	// Max is the longest wait, 1 min to 24 h, default 15 min. Only a Retry-After
	// or a code's own floor can be longer.
	Max time.Duration
	// Scale shrinks the codes' floors for a simulator: above 0, at most 1,
	// default 1. Production keeps 1: the floors are FCM's rules.
	Scale float64
}

// Next returns the wait after attempt number attempt (from 1; less counts as 1)
// ended with code and, if the answer carried one, with a Retry-After.
//
// The floor is the code's FirstWait, except that a 429 with a Retry-After waits
// for just that
// (https://firebase.google.com/docs/cloud-messaging/scale-fcm#handling-retries).
// The wait lies between the floor and floor × (1 + Multiplier^(attempt-1)), and
// not above Max. A Retry-After that is longer is returned as it is.
//
// The same arguments and the same state of r give the same wait. r must not be
// nil, nor be used by others during the call.
func (b Backoff) Next(attempt int, code push.Code, retryAfter time.Duration, r *rand.Rand) time.Duration {
	if b.Multiplier < 1 {
		b.Multiplier = 2
	}
	if b.Max <= 0 {
		b.Max = 15 * time.Minute
	}
	floor := b.floor(code, retryAfter)
	wait := floor
	// Not floor + min(…): the sum is capped, so that late attempts spread below
	// Max and do not pile up on it.
	if room := min(b.Max, floor+b.interval(attempt, floor)) - floor; room > 0 {
		wait += time.Duration(r.Float64() * float64(room))
	}
	return max(wait, retryAfter)
}

func (b Backoff) floor(code push.Code, retryAfter time.Duration) time.Duration {
	if code == push.CodeFCMQuotaExceeded && retryAfter > 0 {
		return retryAfter
	}
	floor := code.Facts().FirstWait
	if floor <= 0 {
		floor = leastWait
	}
	if b.Scale > 0 && b.Scale < 1 {
		floor = max(time.Millisecond, time.Duration(float64(floor)*b.Scale))
	}
	return floor
}

// interval is first × Multiplier^(attempt-1), at most Max. The library's own
// jitter is switched off, because it comes from a global source and may fall
// below the floor; and so is its end after some time, because how long a delivery
// may be tried is for its expiry to say. Without that end no clock matters.
func (b Backoff) interval(attempt int, first time.Duration) time.Duration {
	if first >= b.Max {
		return b.Max
	}
	e := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(first),
		backoff.WithMultiplier(b.Multiplier),
		backoff.WithMaxInterval(b.Max),
		backoff.WithRandomizationFactor(0),
		backoff.WithMaxElapsedTime(0),
	)
	d := e.NextBackOff()
	for n := 1; n < attempt && d < b.Max; n++ {
		grown := e.NextBackOff()
		if grown == d { // a multiplier of 1 never gets to Max
			break
		}
		d = grown
	}
	return d
}
