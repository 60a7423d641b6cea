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
	// lineMemory is how long a line that is empty remembers who was served.
	lineMemory = time.Second
)

// pacer lets requests go so that they lie at least 1/pace apart (the generic cell rate
// algorithm; ITU-T I.371). The pace is the lower of two: a ramp, and a limit that is cut
// by 429 and recovers by equal amounts in equal times (AIMD). All times are since the
// guard's epoch.
//
// Where several processes share the quota, each request needs a token of their common
// bucket as well ([Quota]), and the pace is no more than this process's share, so that
// tokens that come in blocks are used evenly. A ramp then climbs to that share.
//
// The pace is common to all traffic, because the quota is. What can't be let go at once
// lines up, and the line decides whose turn it is only when there is one: so a tenant that
// asks late is not behind what another has asked for before. A pause that worse traffic
// was given does not hold better traffic: if the quota is used up its own 429 will say so,
// and if it was a device's own rate it goes through.
type pacer struct {
	full, floor float64 // requests per second
	burst       time.Duration
	ramp        time.Duration
	row         float64 // of 429 that says that it is the quota
	forgive     float64 // what an answer other than 429 takes off such a row
	cutTo       float64
	cutEvery    time.Duration
	recovery    float64 // requests per second, per second

	clock func() time.Duration // since the guard's epoch; for the timer

	calm atomic.Bool // no 429 among the latest answers: spares the hot path the lock

	mu      sync.Mutex
	next    time.Duration // the first point in time not used up
	line    fairQueue     // who waits for that
	share   share         // of the quota that all processes have
	lined   time.Duration // when somebody waited last
	timer   *time.Timer   // fires when the first of the line may go; nil until somebody waited
	rampAt  time.Duration // when the ramp began
	limit   float64       // the limit as of limitAt
	limitAt time.Duration
	cutAt   time.Duration // when the last cut took effect
	quota   [kinds]struct {
		paused time.Duration // nothing is handed out before
		row    float64       // of 429 to this or better traffic, less what other answers took off; row at most
	}
}

func newPacer(cfg Config, clock func() time.Duration) *pacer {
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
		clock:    clock,
		share:    newShare(cfg.Quota, cfg.PerSecond),
	}
}

// turn is leave to make a request now, as far as the pace goes.
type turn struct {
	step time.Duration // of the pace that it used up
}

// take takes the pace of one request, if there is some left and nobody waits for it. Else at
// is when there is some for this kind of traffic, if nobody waits.
func (p *pacer) take(t Traffic, now time.Duration) (got turn, at time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at = p.due(now); at > now || p.line.places > 0 || p.quota[t].paused > now || !p.share.take(now) {
		return turn{}, max(at, p.quota[t].paused), false
	}
	return p.use(now), at, true
}

// due is when the next request may be made; it may be long ago.
func (p *pacer) due(now time.Duration) time.Duration { return max(p.next, now-p.burst) }

// use uses up the pace of the request that is due.
func (p *pacer) use(now time.Duration) turn {
	step := p.interval(now)
	p.next = p.due(now) + step
	return turn{step}
}

// giveBack returns what a request that is not made after all has used up.
func (p *pacer) giveBack(now time.Duration, got turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unused(got, now)
}

// unused gives back what was taken, under the lock.
func (p *pacer) unused(got turn, now time.Duration) {
	p.next -= got.step
	p.share.giveBack(now)
	p.dispatch(now)
}

// join lines a request up that can't be made at once. It does not, if it is expected to
// wait for longer than patience, or if its kind of traffic is paused; at is when to come
// again.
func (p *pacer) join(t Traffic, tenant string, weight int, now, patience time.Duration) (pl *place, at time.Duration, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.quota[t].paused; until > now {
		return nil, until, true
	}
	if p.line.places == 0 && now-p.lined > lineMemory {
		p.line.clear()
	}
	p.lined = now
	at = max(p.due(now), now) + time.Duration(p.line.ahead(tenant, weight, t)*float64(p.interval(now)))
	if at-now > patience {
		return nil, at, false
	}
	pl = p.line.join(tenant, weight, t)
	p.dispatch(now)
	return pl, at, false
}

// leave takes a request out of the line that does not want to wait any more. If it was
// let go in this moment, what it was given is for the next.
func (p *pacer) leave(pl *place, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case answer := <-pl.told:
		if answer.ok {
			p.unused(answer.turn, now)
		}
	default:
		p.line.leave(pl)
	}
}

// dispatch lets requests go that are due, and sets the timer for the next.
func (p *pacer) dispatch(now time.Duration) {
	for p.line.places > 0 && p.due(now) <= now {
		if !p.share.take(now) {
			p.fetch(now)
			return
		}
		p.line.next().told <- answer{p.use(now), true}
		p.lined = now
	}
	if p.line.places == 0 {
		return
	}
	wait := p.due(now) - now
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.fire)
		return
	}
	p.timer.Reset(wait)
}

// fire is called by the timer, for the requests that are due by now.
func (p *pacer) fire() {
	now := p.clock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dispatch(now)
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
	for _, t := range Traffics()[from:] {
		q := &p.quota[t]
		if q.row = min(p.row, q.row+1); q.row < p.row {
			continue
		}
		enough = true
		if retryAfter > 0 {
			q.paused = max(q.paused, now+retryAfter)
			p.line.refuse(t)
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
		p.share.cut(p.cutTo, max(0, paused-now))
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
	share, _ := p.share.perSecond(at)
	return min(share, p.rampNow(at)*share/p.full, p.limitNow(at))
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
