package guard

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lowest is the share of the full pace where a ramp begins and below which
	// no cut goes: low enough to spare a provider that just came back, high
	// enough to notice soon that it takes more.
	lowest = 0.01
	// memory is over how many answers a share of them is averaged.
	memory = 64
	// faded is a share that counts as none: a lone failure some 600 answers ago.
	faded = 1e-6
)

// pacer hands out points in time, one per request, so that they lie at least
// 1/pace apart (the generic cell rate algorithm; ITU-T I.371). The pace is the
// lower of two: a ramp, and a limit that is cut by 429 and recovers by equal
// amounts in equal times (AIMD). All times are since the guard's epoch.
//
// The pace is common to all traffic, because the quota is. Better traffic may look
// further ahead, and a pause that worse traffic was given does not hold it: if the
// quota is used up its own 429 will say so, and if it was a device's own rate it
// goes through.
type pacer struct {
	full, floor float64 // requests per second
	burst       time.Duration
	ramp        time.Duration
	row         float64 // of 429 that says that it is the quota
	forgive     float64 // what an answer other than 429 takes off such a row
	cutTo       float64
	cutEvery    time.Duration
	recovery    float64 // requests per second, per second

	calm atomic.Bool // no 429 among the latest answers: spares the hot path the lock

	mu      sync.Mutex
	next    time.Duration // the first point not handed out
	rampAt  time.Duration // when the ramp began
	limit   float64       // the limit as of limitAt
	limitAt time.Duration
	cutAt   time.Duration // when the last cut took effect
	quota   [kinds]struct {
		paused time.Duration // nothing is handed out before
		row    float64       // of 429 to this or better traffic, less what other answers took off; row at most
	}
}

func newPacer(cfg Config) *pacer {
	return &pacer{
		full:     cfg.PerSecond,
		floor:    min(cfg.PerSecond, max(1, cfg.PerSecond*lowest)),
		burst:    cfg.Burst,
		ramp:     cfg.Ramp,
		row:      float64(cfg.QuotaRow),
		forgive:  cfg.QuotaShare / max(1-cfg.QuotaShare, lowest),
		cutTo:    cfg.CutTo,
		cutEvery: cfg.CutEvery,
		recovery: cfg.PerSecond / cfg.RecoverIn.Seconds(),
		limit:    cfg.PerSecond,
		cutAt:    -cfg.CutEvery,
	}
}

// reserve hands out the next point in time, not before now. If that is more
// than ahead away, nothing is handed out, and at is when it will be.
func (p *pacer) reserve(t Traffic, now, ahead time.Duration) (at time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := max(p.next, now-p.burst, p.quota[t].paused)
	if slot-now > ahead {
		return slot, false
	}
	at = max(slot, now)
	p.next = slot + p.interval(at)
	return at, true
}

// giveBack returns a point that was handed out and not used, if no later one
// was handed out since. Otherwise it is lost, which only makes the pace slower.
func (p *pacer) giveBack(at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if step := p.interval(at); p.next == at+step {
		p.next = at
	}
}

// pausedUntil returns the end of the pause of a kind of traffic that holds at now.
func (p *pacer) pausedUntil(t Traffic, now time.Duration) (until time.Duration, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until = p.quota[t].paused
	return until, until > now
}

// answered records an answer other than 429.
func (p *pacer) answered() {
	if p.calm.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	calm := true
	for t := range p.quota {
		q := &p.quota[t]
		q.row = max(0, q.row-p.forgive)
		calm = calm && q.row == 0
	}
	p.calm.Store(calm)
}

// throttled records a 429 to a kind of traffic. If there are enough of them, the
// pace is cut, unless that was done a moment ago, and that traffic and all that is
// worse is paused for retryAfter, if that is not 0. It reports whether the pace was
// full before.
//
// Enough is a sum (CUSUM; Page, 1954): a 429 adds one to it, another answer takes off so
// much that it stays where it is at a share of QuotaShare, and it never falls below
// zero. Single devices that are over their own limits, one in fifty, add up to ten once
// in tens of millions of answers, and a quota that is used up does within ten. A share of
// the latest answers alone gets over its limit by chance every few thousand, and each
// time costs a half of the pace for a minute.
func (p *pacer) throttled(from Traffic, now, retryAfter time.Duration) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calm.Store(false)
	enough := false
	for t := int(from); t < kinds; t++ {
		q := &p.quota[t]
		if q.row = min(p.row, q.row+1); q.row < p.row {
			continue
		}
		enough = true
		if retryAfter > 0 {
			q.paused = max(q.paused, now+retryAfter)
		}
	}
	if !enough {
		return false
	}
	paused := p.quota[kinds-1].paused // the longest
	limit := p.limitNow(now)
	if now-p.cutAt >= p.cutEvery {
		first = limit >= p.full
		limit = max(p.floor, p.rate(now)*p.cutTo)
		p.cutAt = now
	}
	// Recovery begins, and the next cut is due, only after the pause: until then
	// few requests are made that could tell anything new.
	p.limit, p.limitAt = limit, max(now, paused)
	p.cutAt = max(p.cutAt, paused)
	return first
}

// pace returns the requests per second now, 0 during a pause.
func (p *pacer) pace(now time.Duration) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quota[TrafficLive].paused > now {
		return 0
	}
	return p.rate(now)
}

func (p *pacer) rate(at time.Duration) float64 {
	return min(p.full, p.rampNow(at), p.limitNow(at))
}

func (p *pacer) rampNow(at time.Duration) float64 {
	since := at - p.rampAt
	if since >= p.ramp {
		return p.full
	}
	return p.floor + (p.full-p.floor)*max(0, since.Seconds()/p.ramp.Seconds())
}

func (p *pacer) limitNow(at time.Duration) float64 {
	return min(p.full, p.limit+p.recovery*max(0, (at-p.limitAt).Seconds()))
}

// interval rounds up: the pace is a bound, never exceeded by rounding.
func (p *pacer) interval(at time.Duration) time.Duration {
	return time.Duration(math.Ceil(float64(time.Second) / p.rate(at)))
}
