package h2

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// waiter is a caller without a place. Whoever takes it out of the queue sends
// it exactly one grant.
type waiter struct {
	deadline time.Time
	grant    chan grant // capacity 1
}

// grant is a place on a connection, or why there is none.
type grant struct {
	c   *conn
	err error
}

// waiters is a queue, oldest first.
type waiters struct {
	q    []*waiter
	head int
}

func (w *waiters) len() int { return len(w.q) - w.head }

func (w *waiters) push(x *waiter) { w.q = append(w.q, x) }

func (w *waiters) pop() *waiter {
	x := w.q[w.head]
	w.q[w.head] = nil
	w.head++
	if w.head*2 > len(w.q) {
		w.q = slices.Delete(w.q, 0, w.head)
		w.head = 0
	}
	return x
}

// remove reports whether x was still queued.
func (w *waiters) remove(x *waiter) bool {
	i := slices.Index(w.q[w.head:], x)
	if i < 0 {
		return false
	}
	w.q = slices.Delete(w.q, w.head+i, w.head+i+1)
	return true
}

// acquire finds a place on a connection, first come, first served. Every place
// must be released.
func (cl *Client) acquire(ctx context.Context, deadline time.Time) (*conn, error) {
	cl.mu.Lock()
	if cl.closed {
		cl.mu.Unlock()
		return nil, &transport.Error{Kind: transport.Refused, Err: errClosed}
	}
	if cl.waiters.len() == 0 {
		if c := cl.free(); c != nil {
			c.active++
			cl.inflight++
			cl.mu.Unlock()
			return c, nil
		}
	}
	if err := cl.down; err != nil {
		cl.mu.Unlock()
		return nil, err
	}
	w := &waiter{deadline: deadline, grant: make(chan grant, 1)}
	cl.waiters.push(w)
	cl.mu.Unlock()

	select {
	case g := <-w.grant:
		return g.c, g.err
	case <-ctx.Done():
	}
	cl.mu.Lock()
	queued := cl.waiters.remove(w)
	cl.mu.Unlock()
	if !queued {
		if g := <-w.grant; g.c != nil {
			cl.release(g.c)
		}
	}
	return nil, ctx.Err()
}

// free returns the connection with the most free places, or nil. It starts at
// another one each time so that equals take turns. The lock is held.
func (cl *Client) free() *conn {
	var best *conn
	n := len(cl.conns)
	cl.next++
	for i := range n {
		c := cl.conns[(cl.next+i)%n]
		if c.active < c.limit && (best == nil || c.limit-c.active > best.limit-best.active) {
			best = c
		}
	}
	return best
}

// release gives a place back, to the longest waiting caller if there is one.
func (cl *Client) release(c *conn) {
	cl.mu.Lock()
	c.active--
	cl.inflight--
	cl.serve(c)
	cl.checkIdle()
	cl.mu.Unlock()
}

// serve grants the free places of a connection to those who wait. The lock is
// held.
func (cl *Client) serve(c *conn) {
	for c.inService && c.active < c.limit && cl.waiters.len() > 0 {
		c.active++
		cl.inflight++
		cl.waiters.pop().grant <- grant{c: c}
	}
}

// setLimit applies the peer's SETTINGS_MAX_CONCURRENT_STREAMS (§5.1.2).
func (cl *Client) setLimit(c *conn, peer uint32) {
	cl.mu.Lock()
	c.limit = int(min(int64(cl.cfg.MaxStreams), int64(peer)))
	cl.serve(c)
	cl.mu.Unlock()
}

// failWaiters ends every wait with err. The lock is held.
func (cl *Client) failWaiters(err error) {
	for cl.waiters.len() > 0 {
		cl.waiters.pop().grant <- grant{err: err}
	}
}

// expireWaiters ends the waits that are overdue. The queue is in the order of
// deadlines, since all have the same time-out.
func (cl *Client) expireWaiters(now time.Time) {
	cl.mu.Lock()
	for cl.waiters.len() > 0 && now.After(cl.waiters.q[cl.waiters.head].deadline) {
		cl.waiters.pop().grant <- grant{err: &transport.Error{Kind: transport.Refused, Err: errNoStream}}
	}
	cl.mu.Unlock()
}

// checkIdle tells Close that nothing is under way any more. The lock is held.
func (cl *Client) checkIdle() {
	if cl.closed && cl.inflight == 0 {
		select {
		case <-cl.idle:
		default:
			close(cl.idle)
		}
	}
}

// install puts a connection into service.
func (cl *Client) install(c *conn) {
	cl.mu.Lock()
	wasDown := cl.down != nil
	c.inService = true
	cl.living[c] = true
	cl.conns = append(cl.conns, c)
	cl.down = nil
	cl.cfg.OnConnections(len(cl.conns))
	cl.serve(c)
	cl.mu.Unlock()
	if wasDown {
		cl.log.Info("connected again", zap.String("addr", cl.cfg.Addr))
	}
}

// retire takes a connection out of service, and tells its keeper why. It may be
// called more than once.
func (cl *Client) retire(c *conn, cause error) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if !c.inService {
		return
	}
	c.inService = false
	if i := slices.Index(cl.conns, c); i >= 0 {
		cl.conns = slices.Delete(cl.conns, i, i+1)
	}
	cl.cfg.OnConnections(len(cl.conns))
	c.retired <- cause
}

// alive returns the connections that are not closed yet.
func (cl *Client) alive() []*conn {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	list := make([]*conn, 0, len(cl.living))
	for c := range cl.living {
		list = append(list, c)
	}
	return list
}

// unreachable notes that an attempt to open a connection failed. If no connection is left, it fails
// all waiters at once: their callers should not spend their time waiting for a peer that is down.
func (cl *Client) unreachable(err error) {
	cl.mu.Lock()
	if len(cl.conns) > 0 || cl.closed {
		cl.mu.Unlock()
		return
	}
	first := cl.down == nil
	cl.down = err
	cl.failWaiters(err)
	cl.mu.Unlock()
	if first {
		cl.log.Warn("no connection; trying on", zap.String("addr", cl.cfg.Addr), zap.Error(err))
	}
}
