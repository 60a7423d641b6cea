package h2

import (
	"context"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// sweepEvery is how coarse time-outs are. One sweep over a thousand open
// requests costs some 20 µs; a timer for each request would cost more than
// that a hundred times over.
const sweepEvery = 100 * time.Millisecond

// stallAfter is how long a write may make no progress: the peer's machine may
// be up while its process no longer reads.
const stallAfter = 10 * time.Second

// health is what the sweeper remembers of a connection between sweeps. The
// connection's lock guards it.
type health struct {
	heardAt   time.Time // about when the last frame came in
	pingedAt  time.Time // zero = no ping is out
	writeSeen uint64    // offered when writeAt was set
	writeAt   time.Time // since when the same write is under way; zero = none
}

// sweepLoop ends overdue requests, pings silent connections and closes dead
// ones, until ctx ends.
func (cl *Client) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, c := range cl.alive() {
				c.sweep(now)
			}
			cl.expireWaiters(now)
		}
	}
}

// sweep looks after one connection.
func (c *conn) sweep(now time.Time) {
	c.mu.Lock()
	var late []*stream
	for _, s := range c.streams {
		if now.After(s.deadline) || s.ctx.Err() != nil {
			late = append(late, s)
		}
	}
	errs := make([]error, len(late))
	for i, s := range late {
		errs[i] = s.overdue()
		c.cancel(s.id, http2.ErrCodeCancel)
		c.removeStream(s)
	}
	dead := c.examine(now)
	c.mu.Unlock()
	for i, s := range late {
		c.finish(s, errs[i])
	}
	if dead != nil {
		c.fail(dead)
	}
}

// overdue returns the error of a request that is given up, because its time is over or
// nobody waits for it any more; nil if the answer's status has arrived. The lock of its
// connection is held.
func (s *stream) overdue() error {
	unsent := s.sentEnd == 0 // without END_STREAM there is no whole request
	cause := s.ctx.Err()
	switch {
	case cause != nil && unsent:
		return cause
	case cause == nil:
		cause = errNoAnswer
	}
	kind := transport.Timeout
	if unsent {
		kind = transport.Refused
	}
	return settle(s, &transport.Error{Kind: kind, Err: cause})
}

// examine sends a ping when it is due and returns why the connection is dead,
// if it is. The lock is held.
func (c *conn) examine(now time.Time) error {
	h := &c.health
	if c.heard.Swap(false) || h.heardAt.IsZero() {
		h.heardAt, h.pingedAt = now, time.Time{}
	}
	switch {
	case !c.writing:
		h.writeAt = time.Time{}
	case h.writeAt.IsZero() || h.writeSeen != c.offered:
		h.writeAt, h.writeSeen = now, c.offered
	case now.Sub(h.writeAt) > stallAfter:
		return errStalled
	}
	wait := c.client.cfg.PingIdle
	if len(c.streams) > 0 {
		wait = c.client.cfg.PingBusy
	}
	switch {
	case !h.pingedAt.IsZero():
		if now.Sub(h.pingedAt) > c.client.cfg.PingTimeout {
			return errSilent
		}
	case now.Sub(h.heardAt) > wait:
		h.pingedAt = now
		_ = c.wr.WritePing(false, [8]byte{'b', 'e', 'l', 'f', 'r', 'y'})
		c.wake()
	}
	return nil
}

// onPing answers a ping (§6.7). The acknowledgement of our own needs nothing:
// that a frame was heard is enough.
func (c *conn) onPing(f *http2.PingFrame) {
	if f.IsAck() {
		return
	}
	c.mu.Lock()
	_ = c.wr.WritePing(true, f.Data)
	c.wake()
	err := c.checkOutput()
	c.mu.Unlock()
	if err != nil {
		c.fail(err)
	}
}
