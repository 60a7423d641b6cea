package guard

import (
	"math"
	"time"
)

// throttle bounds the rate of one kind of traffic while a part of the answers is
// sick: a client that is given up on more often than not sends about K requests
// for each that is taken, so that a provider that bears less than we ask for gets
// what it bears and a little more, which finds out when it bears more again. That
// is the client-side throttling of Google's SRE book (chapter 21, "Handling
// Overload"), whose max(0, (requests − K·accepts)/(requests + 1)) comes to the same
// rate; as a rate it delays instead of rejecting. Not safe for concurrent use.
type throttle struct {
	floor, full float64 // requests per second
	factor      float64 // K
	doubleIn    time.Duration
	meter       *meter

	active bool
	limit  float64       // requests per second as of at
	at     time.Duration // since the guard's epoch
	climb  climb
	ended  time.Duration // when it held last
	early  time.Duration // until then it is soon after an outage
	next   time.Duration // the first point in time not used up
}

// sickShare is the share of sick answers from which on a throttle yields: there a
// client that sends two requests for each that is taken is at its limit.
const sickShare = 0.5

// Soon after an outage, for earlyFor, a rate is no higher than ahead times that of the
// last second, so that it does not climb while nobody uses it, and nobody finds out what
// it would do. The meter lags behind a rate that doubles every half second by almost two.
const (
	earlyFor = 10 * time.Second
	ahead    = 2.5
)

// throttleBurst is how much unused pace of a throttle is kept, as time.
const throttleBurst = 100 * time.Millisecond

func newThrottle(cfg *Config, t Traffic, m *meter) throttle {
	least := cfg.PerSecond * lowest
	if t == TrafficReplay {
		least /= 10
	}
	return throttle{
		full: cfg.PerSecond, floor: min(cfg.PerSecond, max(1, least)), factor: cfg.Accepts[t], doubleIn: cfg.DoubleIn, meter: m,
	}
}

// reduce records a sick answer; the rate is reduced once half of the answers are sick. What is taken
// is told from the share of sick answers and the number of all, because the share
// moves within some dozens of answers, however many a second there are.
func (t *throttle) reduce(now time.Duration, share, answersPerSecond float64) {
	if share <= sickShare {
		return
	}
	t.set(now, max(t.floor, min(t.rate(now), t.factor*(1-share)*answersPerSecond)))
}

// resume begins at the floor again, after an outage.
func (t *throttle) resume(now time.Duration) {
	t.set(now, t.floor)
	t.climb = climb{usual: 1} // until it is known better
	t.early = now + earlyFor
}

// answered records an answer while the throttle holds. A climb that has got past what
// the provider bears begins again below that, and slower.
func (t *throttle) answered(now time.Duration, healthy bool) {
	if !t.active {
		return
	}
	was := t.climb.factor()
	if cut, over := t.climb.answered(now, healthy); over {
		// What is under way may be less than the throttle would let through.
		limit := min(t.rateIn(now, was), ahead*t.meter.perSecond(now))
		t.set(now, max(t.floor, limit*cut))
		t.at = t.climb.deaf // it climbs when it is known what came of it
	}
}

func (t *throttle) set(now time.Duration, limit float64) {
	if !t.active {
		t.next = now
		if now-t.ended > climbKept {
			t.climb = climb{}
		}
	}
	t.active, t.limit, t.at = true, limit, now
}

// rate returns the requests per second now. A limit that was not renewed doubles
// in every doubleIn, or slower if it got too far before, until it is none.
func (t *throttle) rate(now time.Duration) float64 {
	if !t.active {
		return t.full
	}
	limit := t.rateIn(now, t.climb.factor())
	switch {
	case now < t.early:
		return max(t.floor, min(limit, ahead*t.meter.perSecond(now)))
	case limit >= t.full:
		t.active, t.ended = false, now
	}
	return limit
}

// rateIn is the rate now of a climb that is slower by a factor.
func (t *throttle) rateIn(now time.Duration, slower float64) float64 {
	return min(t.full, t.limit*math.Exp2(max(0, now-t.at).Seconds()/(t.doubleIn.Seconds()*slower)))
}

// take uses up the next point in time, if that has come; else at is when it does.
func (t *throttle) take(now time.Duration) (at time.Duration, ok bool) {
	if at, ok = t.ready(now); ok && t.active {
		t.next = max(t.next, now-throttleBurst) + t.interval(now)
	}
	return at, ok
}

// ready reports whether take would succeed.
func (t *throttle) ready(now time.Duration) (at time.Duration, ok bool) {
	if t.rate(now); !t.active {
		return now, true
	}
	return t.next, t.next <= now
}

func (t *throttle) interval(now time.Duration) time.Duration {
	return time.Duration(float64(time.Second) / t.rate(now))
}
