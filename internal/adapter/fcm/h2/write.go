package h2

import (
	"runtime"
	"slices"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// maxOutput bounds what may wait to be written: far more than the requests of
// one connection, so only a peer that provokes control frames without reading
// them can fill it (§10.5).
const maxOutput = 32 << 20

// keepOutput is the largest output buffer worth keeping between writes.
const keepOutput = 256 << 10

// writeLoop writes whatever has gathered in out, in one write each time. On a busy
// connection it lets more gather first.
func (c *conn) writeLoop() {
	var spare []byte
	for {
		batch, hangUp := c.nextBatch(spare)
		if len(batch) > 0 {
			if _, err := c.nc.Write(batch); err != nil {
				c.fail(err)
			}
		}
		c.mu.Lock()
		c.writing = false
		closed := c.state == stateClosed
		c.mu.Unlock()
		if closed {
			return
		}
		if hangUp != nil {
			_ = c.nc.Close() // says close_notify over TLS
			c.fail(hangUp)
			return
		}
		spare = batch
		if cap(spare) > keepOutput {
			spare = nil
		}
	}
}

// nextBatch waits for output and takes all of it, leaving spare in its place.
// Batch is empty when the connection closes.
func (c *conn) nextBatch(spare []byte) (batch []byte, hangUp error) {
	c.mu.Lock()
	slept := false
	for len(c.out.b) == 0 && c.state != stateClosed && c.hangUp == nil {
		c.waiting = true
		c.cond.Wait()
		slept = true
	}
	if c.hangUp == nil && c.state != stateClosed {
		// Others whose answers came with the one that woke the writer are ready to go on. They go
		// first, so that their requests are in the same write.
		c.mu.Unlock()
		switch {
		case c.raw.busy.Load():
			wait(c.timer, gatherOut)
		case slept:
			runtime.Gosched()
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.state == stateClosed {
		return nil, nil
	}
	batch = c.out.b
	c.out.b = spare[:0]
	c.offered += uint64(len(batch))
	c.writing = true
	return batch, c.hangUp
}

// wake tells the writer that there is output. The lock is held.
func (c *conn) wake() {
	if c.waiting {
		c.waiting = false
		c.cond.Signal()
	}
}

// writeHeaders appends the request's HEADERS, and CONTINUATION frames if the
// block is larger than the peer's frames (§4.3, §6.10). The lock is held.
func (c *conn) writeHeaders(s *stream, h *transport.Header) {
	block := c.enc.encode(h, len(s.rest))
	first, rest := cut(block, int(c.maxFrame))
	end := len(s.rest) == 0
	// Errors of a Framer over a sink can only be ids that we made up ourselves.
	_ = c.wr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: first, EndStream: end, EndHeaders: len(rest) == 0,
	})
	for len(rest) > 0 {
		first, rest = cut(rest, int(c.maxFrame))
		_ = c.wr.WriteContinuation(s.id, len(rest) == 0, first)
	}
	if end {
		s.sentEnd = c.offered + uint64(len(c.out.b))
	}
}

func cut(b []byte, n int) (head, tail []byte) {
	n = min(n, len(b))
	return b[:n], b[n:]
}

// pump appends as much of the body as the windows allow (§6.9) and tells
// whether that was all of it. The lock is held.
func (c *conn) pump(s *stream) bool {
	for len(s.rest) > 0 {
		n := min(int32(min(len(s.rest), maxWindow)), s.window, c.sendWindow, c.maxFrame)
		if n <= 0 {
			return false
		}
		chunk := s.rest[:n]
		s.rest = s.rest[n:]
		_ = c.wr.WriteData(s.id, len(s.rest) == 0, chunk)
		s.window -= n
		c.sendWindow -= n
		if len(s.rest) == 0 {
			s.sentEnd = c.offered + uint64(len(c.out.b))
		}
	}
	return true
}

// pumpBlocked goes on with the bodies that wait for a window, oldest first. The
// lock is held.
func (c *conn) pumpBlocked() {
	c.blocked = slices.DeleteFunc(c.blocked, c.pump)
	c.wake()
}

// unblock forgets what is left of a body. The lock is held.
func (c *conn) unblock(s *stream) {
	s.rest = nil
	if i := slices.Index(c.blocked, s); i >= 0 {
		c.blocked = slices.Delete(c.blocked, i, i+1)
	}
}

// cancel appends RST_STREAM. The lock is held.
func (c *conn) cancel(id uint32, code http2.ErrCode) {
	_ = c.wr.WriteRSTStream(id, code)
	c.wake()
}

// leave appends GOAWAY and closes the connection once it is written (§6.8).
// Requests that are still open then end with cause. The lock is held.
func (c *conn) leave(code http2.ErrCode, cause error) {
	if c.hangUp != nil || c.state == stateClosed {
		return
	}
	c.state, c.hangUp = stateDraining, cause
	_ = c.wr.WriteGoAway(0, code, nil)
	c.wake()
}
