package guard

import (
	"context"
	"time"
)

// Quota is what a process may send of an FCM project's quota, which all processes that send to the project share. Safe for
// concurrent use.
type Quota interface {
	// Take takes n requests of what the process has at hand, and returns at once.
	Take(n int64) bool
	// Wait takes n, at most some tenths of a second's worth, and waits until they are there. The error is that ctx ended, or
	// that nothing is known of this process's share.
	Wait(ctx context.Context, n int64) error
	// Share returns how many a second this process may count on, and whether that is what was known last. It answers from
	// memory.
	Share() (perSecond float64, away bool)
	// Cut has all processes get to times as much, to below 1, and from pause on, 0 or more, slowly more again. It returns
	// at once.
	Cut(to float64, pause time.Duration)
}

const (
	// freeShare is the part of the quota that a process which sends little may send without asking: a tenant that trickles
	// costs no call to a store. Processes that send more have no such part.
	freeShare = 1.0 / 400
	// freeAfter is how long after a token was last taken that part begins to fill.
	freeAfter = time.Second
	// fetchFor is how much is fetched at once at most for those who wait, as time at the pace.
	fetchFor = 100 * time.Millisecond
	// keptFor is how long tokens are kept that nobody wanted after all.
	keptFor = time.Second
	// lostShare is the part of the quota that a process takes which has to send and cannot learn its share.
	lostShare = 0.1
	// lostFor is how long it does so before it asks again.
	lostFor = time.Second
)

// share is the part of the quota that the pacer may use: a token of all processes' common bucket for each request. A
// nil quota is a process that has all. The pacer's lock guards it.
type share struct {
	quota    Quota
	full     float64
	free     float64             // requests that need no token
	freeAt   time.Duration       // until when that is reckoned
	kept     int64               // tokens that were taken and not used
	keptAt   time.Duration       // when they were
	fetching bool                // for those who wait
	lost     time.Duration       // until then nobody is asked
	wait     func(n int64) error // for tokens, until stop
	stop     context.CancelFunc
	stopped  bool
}

func newShare(q Quota, full float64) share {
	ctx, stop := context.WithCancel(context.Background())
	wait := func(n int64) error { return q.Wait(ctx, n) }
	return share{quota: q, full: full, free: full * freeShare, wait: wait, stop: stop}
}

// cut tells all processes that the quota is less than was thought.
func (s *share) cut(to float64, pause time.Duration) {
	if s.quota != nil {
		s.quota.Cut(to, pause)
	}
}

// take takes leave for one request, if there is some at hand.
func (s *share) take(now time.Duration) bool {
	if s.quota == nil || now < s.lost {
		return true
	}
	if s.kept > 0 {
		if s.kept--; now-s.keptAt < keptFor {
			return true
		}
		s.kept = 0
	}
	if now > s.freeAt {
		s.free = min(s.free+(now-s.freeAt).Seconds()*s.full*freeShare, s.full*freeShare)
		s.freeAt = now
	}
	if s.free >= 1 {
		s.free--
		return true
	}
	s.freeAt = now + freeAfter
	return s.quota.Take(1)
}

// giveBack returns the leave of a request that is not made.
func (s *share) giveBack(now time.Duration) { s.keep(1, now) }

func (s *share) keep(n int64, now time.Duration) {
	if s.quota != nil {
		s.kept, s.keptAt = s.kept+n, now
	}
}

// perSecond is the pace that the share allows.
func (s *share) perSecond(now time.Duration) (perSecond float64, away bool) {
	switch {
	case s.quota == nil:
		return s.full, false
	case now < s.lost:
		return s.full * lostShare, true
	}
	perSecond, away = s.quota.Share()
	return min(s.full, perSecond), away
}

// sharing returns the process's part of the quota, and whether that is only what was known last.
func (p *pacer) sharing(now time.Duration) (perSecond float64, stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.share.perSecond(now)
}

// fetch fetches tokens for those who wait, on a goroutine of its own, and has them dispatched. The pacer's lock is held.
func (p *pacer) fetch(now time.Duration) {
	s := &p.share
	if s.fetching || s.stopped {
		return
	}
	s.fetching = true
	n := max(1, min(int64(p.line.places), int64(p.rate(now)*fetchFor.Seconds())))
	go func() {
		err := s.wait(n)
		now := p.clock()
		p.mu.Lock()
		defer p.mu.Unlock()
		s.fetching = false
		switch {
		case err == nil:
			s.keep(n, now)
		case s.stopped:
			return
		default:
			s.lost = now + lostFor
		}
		p.dispatch(now)
	}()
}

// close gives up what is being fetched: nobody is let go any more.
func (p *pacer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share.stopped = true
	p.share.stop()
}
