package guard

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config are the options of one [Guard]. Start from [DefaultConfig]: the zero
// value is not valid.
type Config struct {
	// Credential is the FCM project id: the label of metrics, changes and logs.
	Credential string

	// PerSecond is the pace at full speed, in requests per second: 0.01 to
	// 1,000,000. The default is FCM's default quota of 600,000 a minute
	// (https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas).
	PerSecond float64
	// Burst is how much unused pace is kept for later, as time at that pace: 0
	// to 1 s. A stretch of time t sees at most PerSecond × (t + Burst) requests.
	Burst time.Duration
	// Ramp is how long the pace climbs, after the start and after an open
	// breaker closed, from a hundredth of PerSecond to all of it: 0 (at once) to
	// 1 h. FCM asks for 60 s at least
	// (https://firebase.google.com/docs/cloud-messaging/scale-fcm).
	Ramp time.Duration
	// MaxPaceWait is the longest that Admit blocks for the pace before it
	// defers: 0 to 1 min.
	MaxPaceWait time.Duration

	// QuotaShare is the share of 429 among the latest 64 or so answers from which
	// on the pace yields: 0.001 to 1. FCM answers 429 also for a single
	// device or topic that is over its own rate and does not say which, so one
	// 429 among many good answers must not slow everybody.
	QuotaShare float64
	// CutTo is what the pace is multiplied with when it yields: 0.1 to 0.95.
	CutTo float64
	// CutEvery is the least time between two such cuts, long enough for the
	// first to show: 10 ms to 1 min.
	CutEvery time.Duration
	// RecoverIn is the time in which a pace of nothing would grow back to
	// PerSecond, by equal amounts in equal times: 1 s to 1 h.
	RecoverIn time.Duration
	// MaxRetryAfter bounds how long a Retry-After may pause the pace or hold the
	// breaker open: 1 min to 24 h. A broken header must not stop a credential
	// for good.
	MaxRetryAfter time.Duration

	// OpenAfter says when the breaker opens.
	OpenAfter Trip
	// OpenFor is how long the breaker stays open at first: 100 ms to 1 h. It
	// doubles whenever a probe fails. A longer Retry-After wins.
	OpenFor time.Duration
	// MaxOpen is where the doubling ends: OpenFor to 24 h.
	MaxOpen time.Duration
	// Probes is how many requests a half-open breaker lets through, and how many
	// of them in a row must find the provider healthy: 1 to 1,000.
	Probes uint32

	// BudgetRatio is how many retries each healthy answer earns: 0 to 1.
	BudgetRatio float64
	// BudgetMin is how many retries each second earns whatever the answers were,
	// so that a quiet credential may retry at all: 0 to 10,000.
	BudgetMin float64
	// BudgetBurst is how many retries can be saved up; a guard starts with all
	// of them: 1 to 1,000,000.
	BudgetBurst float64
}

// Trip says when a closed breaker opens: on the first sick answer that finds,
// within the last Window, at least Requests answers and a share of at least
// Ratio sick ones among them; or on the InARow-th sick answer without a healthy
// one in between. The share finds a provider that fails in part. The row finds
// one that is gone within milliseconds, when the window is still full of the
// successes of a moment ago. Neutral answers (429 and the like) are not counted.
type Trip struct {
	Window   time.Duration // 1 s to 10 min, slides in tenths
	Ratio    float64       // 0.001 to 1
	Requests uint32        // 1 to 100,000
	InARow   uint32        // 1 to 100,000
}

// DefaultConfig returns the options for a production credential with FCM's
// default quota.
func DefaultConfig(credential string) Config {
	return Config{
		Credential:    credential,
		PerSecond:     600_000.0 / 60,
		Burst:         50 * time.Millisecond,
		Ramp:          time.Minute,
		MaxPaceWait:   time.Second,
		QuotaShare:    0.05,
		CutTo:         0.5,
		CutEvery:      time.Second,
		RecoverIn:     2 * time.Minute,
		MaxRetryAfter: time.Hour,
		OpenAfter:     Trip{Window: 10 * time.Second, Ratio: 0.5, Requests: 20, InARow: 100},
		OpenFor:       10 * time.Second,
		MaxOpen:       2 * time.Minute,
		Probes:        5,
		BudgetRatio:   0.1,
		BudgetMin:     10,
		BudgetBurst:   1000,
	}
}

// Validate returns nil, or an error that names every option that is out of
// range, the range and the value.
func (c Config) Validate() error {
	return errors.Join(
		required("Credential", c.Credential),
		within("PerSecond", c.PerSecond, 0.01, 1e6),
		within("Burst", c.Burst, 0, time.Second),
		within("Ramp", c.Ramp, 0, time.Hour),
		within("MaxPaceWait", c.MaxPaceWait, 0, time.Minute),
		within("QuotaShare", c.QuotaShare, 0.001, 1),
		within("CutTo", c.CutTo, 0.1, 0.95),
		within("CutEvery", c.CutEvery, 10*time.Millisecond, time.Minute),
		within("RecoverIn", c.RecoverIn, time.Second, time.Hour),
		within("MaxRetryAfter", c.MaxRetryAfter, time.Minute, 24*time.Hour),
		within("OpenAfter.Window", c.OpenAfter.Window, time.Second, 10*time.Minute),
		within("OpenAfter.Ratio", c.OpenAfter.Ratio, 0.001, 1),
		within("OpenAfter.Requests", c.OpenAfter.Requests, 1, 100_000),
		within("OpenAfter.InARow", c.OpenAfter.InARow, 1, 100_000),
		within("OpenFor", c.OpenFor, 100*time.Millisecond, time.Hour),
		within("MaxOpen", c.MaxOpen, c.OpenFor, 24*time.Hour),
		within("Probes", c.Probes, 1, 1000),
		within("BudgetRatio", c.BudgetRatio, 0, 1),
		within("BudgetMin", c.BudgetMin, 0, 10_000),
		within("BudgetBurst", c.BudgetBurst, 1, 1e6),
	)
}

func required(name, v string) error {
	if v != "" {
		return nil
	}
	return fmt.Errorf("%s: required", name)
}

// within is written so that a NaN, which compares with nothing, is refused too.
func within[T cmp.Ordered](name string, v, lo, hi T) error {
	if v >= lo && v <= hi {
		return nil
	}
	return fmt.Errorf("%s: must be %v to %v (got %v)", name, lo, hi, v)
}
