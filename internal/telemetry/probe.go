package telemetry

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// probe runs one check at most once at a time: a check that hangs costs one
// goroutine, however often readiness is polled meanwhile.
type probe struct {
	name  string
	check Check

	mu      sync.Mutex
	current *run // nil when the check is not running
}

// run is one execution of a check, shared by everybody who asks during it.
type run struct {
	done chan struct{}
	err  error // valid once done is closed
}

// start joins the run under way or begins one. The run takes ctx's values but
// not its end, because others may be waiting for it too.
func (p *probe) start(ctx context.Context, timeout time.Duration) *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return p.current
	}
	r := &run{done: make(chan struct{})}
	p.current = r
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	go func() {
		defer cancel()
		r.err = p.check(ctx)
		p.mu.Lock()
		p.current = nil
		p.mu.Unlock()
		close(r.done)
	}()
	return r
}

// wait returns the run's error, or says that ctx ended first. A run that has
// ended wins over a ctx that has ended too.
func (r *run) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	select {
	case <-r.done:
		return r.err
	default:
		return fmt.Errorf("no answer yet: %w", ctx.Err())
	}
}
