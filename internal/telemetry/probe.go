package telemetry

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// probe runs one check at most once at a time and keeps its last answer: a
// check that hangs costs one goroutine, however often readiness is polled
// meanwhile.
type probe struct {
	name    string
	check   Check
	bad     Status // when it fails
	timeout time.Duration

	mu    sync.Mutex
	done  chan struct{} // closed when the run under way ends; nil when none is
	began time.Time     // of that run
	last  error         // of the run before it
	at    time.Time     // of that answer; zero: there was none
	told  Status        // what result said last
	vague bool          // it could only say that there was no answer
	since time.Time     // since when
}

// start joins the run under way, or begins one unless the last answer is fresh.
// The channel is closed when there is an answer. The run takes ctx's values but
// not its end, because others may be waiting for it too.
func (p *probe) start(ctx context.Context) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		return p.done
	}
	done := make(chan struct{})
	if !p.at.IsZero() && time.Since(p.at) < fresh {
		close(done)
		return done
	}
	p.done, p.began = done, time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	go func() {
		defer cancel()
		err := p.check(ctx)
		p.mu.Lock()
		p.done, p.last, p.at = nil, err, time.Now()
		p.mu.Unlock()
		close(done)
	}()
	return done
}

// result is the present answer, how long the status before had lasted, and whether the
// answer is news: another status than the last time, or the reason of one that had none.
func (p *probe) result() (r CheckResult, after time.Duration, news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	err, at, vague := p.last, p.at, false
	if p.done != nil && (at.IsZero() || now.Sub(p.began) >= p.timeout) {
		err, at, vague = fmt.Errorf("no answer for %v", now.Sub(p.began).Round(100*time.Millisecond)), now, true
	}
	r = CheckResult{Name: p.name, Status: StatusOK, AgeSeconds: float64(now.Sub(at).Milliseconds()) / 1e3}
	if err != nil {
		r.Status, r.Error = p.bad, err.Error()
	}
	news = r.Status != p.told && (p.told != "" || r.Status != StatusOK) || err != nil && p.vague && !vague
	p.vague = vague
	if r.Status != p.told {
		after = now.Sub(p.since)
		p.told, p.since = r.Status, now
	}
	r.Since = p.since.UTC()
	return r, after, news
}
