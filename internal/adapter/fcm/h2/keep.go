package h2

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// backoffDoublings bounds the wait between dials at about 100 times the first.
const backoffDoublings = 7

// healthyAfter is how long a connection without a request must have lived for
// its end to count as ordinary: servers close idle connections.
const healthyAfter = 5 * time.Second

// keep holds one of the client's connections open until ctx ends: it dials,
// waits until the connection leaves service, and dials again. It calls tried
// after the first attempt.
func (cl *Client) keep(ctx context.Context, tried func()) {
	failures := 0
	for {
		c, err := cl.dial(ctx)
		if err == nil {
			cl.install(c)
			cl.run(c)
		} else {
			cl.unreachable(err)
		}
		if tried != nil {
			tried()
			tried = nil
		}
		if err == nil {
			select {
			case err = <-c.retired:
			case <-ctx.Done():
				c.shut()
				return
			}
			if c.answered.Load() || time.Since(c.born) > healthyAfter {
				failures = 0
				continue
			}
			// A peer that takes connections only to drop them is no better than
			// one that takes none, and must not be dialled in a loop; once may
			// be chance.
			if failures == 0 {
				failures = 1
				continue
			}
			cl.unreachable(asRefused(err))
		}
		failures++
		if !cl.pause(ctx, failures) {
			return
		}
	}
}

// run starts a connection's goroutines, and forgets it when they end.
func (cl *Client) run(c *conn) {
	c.start()
	cl.work.Go(func() {
		c.gone.Wait()
		cl.mu.Lock()
		delete(cl.living, c)
		cl.mu.Unlock()
	})
}

func asRefused(err error) error {
	if _, ok := errors.AsType[*transport.Error](err); ok {
		return err
	}
	return &transport.Error{Kind: transport.Refused, Err: err}
}

// pause waits before the next dial: exponential with full jitter. It returns
// false when ctx ended.
func (cl *Client) pause(ctx context.Context, failures int) bool {
	wait := cl.cfg.Backoff << min(failures-1, backoffDoublings)
	timer := time.NewTimer(cl.cfg.Jitter(wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
