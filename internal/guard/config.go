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
	// Ramp is how long the pace climbs after the start from a hundredth of
	// PerSecond to all of it: 0 (at once) to 1 h. FCM asks for 60 s at least
	// (https://firebase.google.com/docs/cloud-messaging/scale-fcm).
	Ramp time.Duration
	// MaxPaceWait is for how long a request of the best kind of traffic may wait for its
	// turn without patience, and half of it one of the others: 0 to 1 min.
	MaxPaceWait time.Duration
	// Quota is this process's part of the project's quota, if other processes send to the
	// project too; nil: it has PerSecond for itself.
	Quota Quota
	// Weights says how tenants that share the credential share its pace; nil: equally.
	Weights Weights

	// QuotaShare is the share of 429 among the answers from which on the pace yields,
	// once there are enough of them to tell: 0.001 to 1. FCM answers 429 also for a
	// single device or topic that is over its own rate and does not say which, so
	// some 429 among many good answers must not slow everybody.
	QuotaShare float64
	// QuotaRow is how many 429 in a row, or more than QuotaShare accounts for, are enough:
	// 1 to 1,000.
	QuotaRow int
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

	// Accepts is, by kind of traffic, how many requests are sent for each that is
	// taken while more than a half of the answers are sick: 0.01 to 10. FCM bears
	// the sum over all kinds.
	Accepts [kinds]float64
	// DoubleIn is the time in which a throttled rate doubles once less than a half
	// of the answers are sick, also after an outage: 10 ms to 1 min.
	DoubleIn time.Duration

	// OpenAfter says when the breaker opens.
	OpenAfter Trip
	// ProbeEvery is the time between two probes of an open breaker, at first: 100 ms
	// to 1 h. It grows with the outage. A longer Retry-After wins.
	ProbeEvery time.Duration
	// ProbeMax is where that ends: ProbeEvery to 24 h.
	ProbeMax time.Duration

	// BudgetRatio is how many retries each healthy answer earns: 0 to 1.
	BudgetRatio float64
	// BudgetMin is how many retries each second earns whatever the answers were,
	// so that a quiet credential may retry at all: 0 to 10,000.
	BudgetMin float64
	// BudgetBurst is how many retries can be saved up; a guard starts with all
	// of them: 1 to 1,000,000. Replays leave a quarter of them to live traffic.
	BudgetBurst float64
}

// Trip says when a closed breaker opens: on a sick answer that finds no healthy one
// of any traffic since
//
//   - Many sick ones and for Silence: a provider that is gone under load, or
//   - Few sick ones, the first of them Quiet ago: one that is gone when there is
//     little traffic; or Unreached ago if the requests never got into FCM, which is
//     no recipient's fault.
//
// A recipient counts once in ten minutes, unless its request never got into FCM.
// Neutral answers (429 and the like) are not counted.
type Trip struct {
	Many      int           // 1 to 100,000
	Silence   time.Duration // 0 to 10 min
	Few       int           // 1 to 100,000
	Quiet     time.Duration // 0 to 2 min
	Unreached time.Duration // 0 to 2 min
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
		QuotaRow:      10,
		CutTo:         0.5,
		CutEvery:      time.Second,
		RecoverIn:     2 * time.Minute,
		MaxRetryAfter: time.Hour,
		Accepts:       [kinds]float64{2, 2, 0.5, 0.1},
		DoubleIn:      500 * time.Millisecond,
		OpenAfter:     Trip{Many: 20, Silence: 5 * time.Second, Few: 3, Quiet: 10 * time.Second, Unreached: 2 * time.Second},
		ProbeEvery:    time.Second,
		ProbeMax:      4 * time.Second,
		BudgetRatio:   0.5,
		BudgetMin:     100,
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
		within("QuotaRow", c.QuotaRow, 1, 1000),
		within("CutTo", c.CutTo, 0.1, 0.95),
		within("CutEvery", c.CutEvery, 10*time.Millisecond, time.Minute),
		within("RecoverIn", c.RecoverIn, time.Second, time.Hour),
		within("MaxRetryAfter", c.MaxRetryAfter, time.Minute, 24*time.Hour),
		within("Accepts[high]", c.Accepts[TrafficHigh], 0.01, 10),
		within("Accepts[live]", c.Accepts[TrafficLive], 0.01, 10),
		within("Accepts[retry]", c.Accepts[TrafficRetry], 0.01, 10),
		within("Accepts[replay]", c.Accepts[TrafficReplay], 0.01, 10),
		within("DoubleIn", c.DoubleIn, 10*time.Millisecond, time.Minute),
		within("OpenAfter.Many", c.OpenAfter.Many, 1, 100_000),
		within("OpenAfter.Silence", c.OpenAfter.Silence, 0, 10*time.Minute),
		within("OpenAfter.Few", c.OpenAfter.Few, 1, 100_000),
		within("OpenAfter.Quiet", c.OpenAfter.Quiet, 0, 2*time.Minute),
		within("OpenAfter.Unreached", c.OpenAfter.Unreached, 0, 2*time.Minute),
		within("ProbeEvery", c.ProbeEvery, 100*time.Millisecond, time.Hour),
		within("ProbeMax", c.ProbeMax, c.ProbeEvery, 24*time.Hour),
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
