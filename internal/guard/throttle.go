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

	active bool
	limit  float64       // requests per second as of at
	at     time.Duration // since the guard's epoch
	next   time.Duration // the first point in time not used up
}

// sickShare is the share of sick answers from which on a throttle yields: there a
// client that sends two requests for each that is taken is at its limit.
const sickShare = 0.5

// throttleBurst is how much unused pace of a throttle is kept, as time.
const throttleBurst = 100 * time.Millisecond

func newThrottle(cfg *Config, t Traffic) throttle {
	least := cfg.PerSecond * lowest
	if t == TrafficReplay {
		least /= 10
	}
	return throttle{
		full: cfg.PerSecond, floor: min(cfg.PerSecond, max(1, least)), factor: cfg.Accepts[t], doubleIn: cfg.DoubleIn,
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
func (t *throttle) resume(now time.Duration) { t.set(now, t.floor) }

func (t *throttle) set(now time.Duration, limit float64) {
	if !t.active {
		t.next = now
	}
	t.active, t.limit, t.at = true, limit, now
}

// rate returns the requests per second now. A limit that was not renewed doubles
// in every doubleIn, until it is none.
func (t *throttle) rate(now time.Duration) float64 {
	if !t.active {
		return t.full
	}
	limit := t.limit * math.Exp2(float64(now-t.at)/float64(t.doubleIn))
	if limit >= t.full {
		t.active = false
		return t.full
	}
	return limit
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
