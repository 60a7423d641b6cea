package h2

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// Defaults that hold until the peer's SETTINGS say otherwise (§6.5.2).
const (
	initialWindow   = 65_535
	initialMaxFrame = 16_384
	maxStreamID     = 1<<31 - 1
	maxWindow       = 1<<31 - 1
)

// What this side offers.
const (
	recvWindow   = 1 << 20 // of the connection: room for every stream's small answer
	maxRecvFrame = 16_384
)

// connState is how far a connection's life has gone.
type connState uint8

const (
	stateOpen     connState = iota // takes new requests
	stateDraining                  // finishes what it has
	stateClosed
)

// conn is one HTTP/2 connection: a reader and a writer goroutine, and the
// streams that callers opened on it.
type conn struct {
	nc     net.Conn      // TLS or plain
	raw    *gathering    // below TLS; the same as nc without
	in     *bufio.Reader // from nc
	rd     *http2.Framer // from in
	hdr    *headerDecoder
	client *Client
	born   time.Time

	heard    atomic.Bool // a frame came in since the last sweep
	answered atomic.Bool // at least one response came in
	retired  chan error  // gets the reason when the connection leaves service; capacity 1
	gone     sync.WaitGroup

	// Guarded by Client.mu.
	active    int  // requests that hold a place
	limit     int  // how many may
	inService bool // new requests may be given to it

	mu      sync.Mutex
	cond    sync.Cond // the writer waits on it
	state   connState
	streams map[uint32]*stream
	nextID  uint32
	lastID  uint32 // ids above it are used up

	out     sink          // frames not yet taken by the writer
	timer   *time.Timer   // the writer's
	wr      *http2.Framer // writes to out
	enc     *headerEncoder
	offered uint64 // bytes that the writer has taken so far
	writing bool
	waiting bool  // the writer sleeps on cond
	hangUp  error // why to close once out is written; nil = not

	sendWindow   int32     // of the connection
	streamWindow int32     // of new streams
	maxFrame     int32     // largest payload that the peer takes
	blocked      []*stream // requests whose body waits for a window, oldest first
	recvSpent    int32     // bytes received and not yet given back
	health       health
}

func newConn(cl *Client, nc net.Conn, raw *gathering, br *bufio.Reader) *conn {
	c := &conn{
		client: cl, nc: nc, raw: raw, in: br, born: time.Now(),
		hdr:     newHeaderDecoder(),
		timer:   stoppedTimer(),
		retired: make(chan error, 1),
		streams: make(map[uint32]*stream, cl.cfg.MaxStreams),
		nextID:  1, lastID: maxStreamID,
		enc:        newHeaderEncoder(),
		sendWindow: initialWindow, streamWindow: initialWindow, maxFrame: initialMaxFrame,
		limit: cl.cfg.MaxStreams,
	}
	c.cond.L = &c.mu
	c.rd = http2.NewFramer(nil, br)
	c.rd.SetReuseFrames()
	c.rd.SetMaxReadFrameSize(maxRecvFrame)
	c.wr = http2.NewFramer(&c.out, nil)
	return c
}

// start runs the reader and the writer.
func (c *conn) start() {
	c.gone.Go(c.readLoop)
	c.gone.Go(c.writeLoop)
}

// open writes a request to the output and enters its stream into the table. It
// returns nil when the connection no longer takes requests.
func (c *conn) open(ctx context.Context, h *transport.Header, body []byte, resp *transport.Response, deadline time.Time) *stream {
	c.mu.Lock()
	if c.state != stateOpen || c.nextID > c.lastID {
		c.mu.Unlock()
		return nil
	}
	s := c.client.streams.get(body, resp, deadline)
	s.ctx, s.id = ctx, c.nextID
	s.window = c.streamWindow
	c.nextID += 2
	last := c.nextID > c.lastID
	c.streams[s.id] = s
	c.writeHeaders(s, h)
	if !c.pump(s) {
		c.blocked = append(c.blocked, s)
	}
	c.wake()
	if last {
		// Stream ids cannot be reused; a new connection takes over (§5.1.1).
		c.state = stateDraining
	}
	c.mu.Unlock()
	if last {
		c.client.retire(c, errDrained)
	}
	return s
}

// removeStream removes a stream that is in the table: the caller owns it then. The lock is
// held.
func (c *conn) removeStream(s *stream) {
	delete(c.streams, s.id)
	if len(s.rest) > 0 {
		c.unblock(s)
	}
	if c.state == stateDraining && len(c.streams) == 0 {
		c.leave(http2.ErrCodeNo, errDrained)
	}
}

// finish hands a stream that was taken back to its caller. The lock is not held.
func (c *conn) finish(s *stream, err error) {
	s.err = err
	c.client.release(c)
	s.done <- struct{}{}
}

// settle turns a failure into an answer if the status had arrived: the peer's decision is known
// then, and only the body is lost.
func settle(s *stream, err error) error {
	if s.resp.Status != 0 {
		s.resp.Truncated = true
		return nil
	}
	return err
}

// drain stops new requests; the connection closes after its last one.
func (c *conn) drain(cause error) {
	c.mu.Lock()
	if c.state == stateOpen {
		c.state = stateDraining
	}
	if c.state == stateDraining && len(c.streams) == 0 {
		c.leave(http2.ErrCodeNo, errDrained)
	}
	c.mu.Unlock()
	c.client.retire(c, cause)
}

// fail closes the connection at once and ends its requests: those whose last
// byte the writer had not taken yet were certainly not processed.
func (c *conn) fail(cause error) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	c.state = stateClosed
	left := make([]*stream, 0, len(c.streams))
	for _, s := range c.streams {
		left = append(left, s)
	}
	clear(c.streams)
	c.blocked = nil
	offered := c.offered
	c.cond.Broadcast()
	c.mu.Unlock()

	_ = c.raw.Close() // the cause is known already
	c.client.retire(c, cause)
	for _, s := range left {
		kind := transport.Reset
		if s.sentEnd == 0 || s.sentEnd > offered {
			kind = transport.Refused
		}
		c.finish(s, settle(s, &transport.Error{Kind: kind, Err: cause}))
	}
}
