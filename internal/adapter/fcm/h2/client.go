package h2

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// Client sends requests over a fixed number of connections to one origin. It
// is safe for concurrent use.
type Client struct {
	cfg  Config
	log  *zap.Logger
	stop context.CancelFunc

	streams streamPool
	work    sync.WaitGroup // keepers, the sweeper and the connections

	mu       sync.Mutex
	conns    []*conn        // in service, in no order
	living   map[*conn]bool // these and the draining ones
	next     int            // where the next search for a place begins
	waiters  waiters
	inflight int   // requests that hold a place
	down     error // why nothing is in service, after a failed dial; else nil
	closed   bool
	idle     chan struct{} // closed when the client is closed and nothing is in flight
}

// New returns a client and begins to connect. It waits until the first attempt
// of every connection has ended or ctx is done, so that a client whose peer is
// up starts at full width; a peer that is down is no error, since it may come
// back: requests fail meanwhile, and the attempts go on. End it with [Client.Close].
func New(ctx context.Context, cfg Config, log *zap.Logger) (*Client, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	cl := &Client{cfg: cfg, log: log, living: make(map[*conn]bool), idle: make(chan struct{})}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	cl.stop = stop
	var first sync.WaitGroup
	first.Add(cfg.Connections)
	for range cfg.Connections {
		cl.work.Go(func() { cl.keep(life, first.Done) })
	}
	cl.work.Go(func() { cl.sweepLoop(life) })

	tried := make(chan struct{})
	go func() { first.Wait(); close(tried) }()
	select {
	case <-tried:
	case <-ctx.Done():
	}
	return cl, nil
}

// Do sends one request, once, and waits for its answer, which it puts into resp.
// Body must not change until Do returns. The error is an [*transport.Error], or what ctx
// said if it ended before the whole request was written; an answer of any
// status is no error. Do returns within 100 ms of the end of ctx.
func (cl *Client) Do(ctx context.Context, h *transport.Header, body []byte, resp *transport.Response) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	resp.Reset()
	deadline := time.Now().Add(cl.cfg.Timeout)
	for {
		c, err := cl.acquire(ctx, deadline)
		if err != nil {
			return err
		}
		if s := c.open(ctx, h, body, resp, deadline); s != nil {
			return c.await(s)
		}
		// It went out of service in between; nothing was written.
		cl.retire(c, errDrained)
		cl.release(c)
	}
}

// await waits for the end of a stream and gives it back to the pool. That ctx ended the
// sweeper notices: a thousand callers that wait for the same ctx as well cost more.
func (c *conn) await(s *stream) error {
	<-s.done
	err := s.err
	c.client.streams.put(s)
	return err
}

// Connections returns how many connections are in service.
func (cl *Client) Connections() int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return len(cl.conns)
}

// Down returns why there is no connection, nil while there is one or the first
// attempts are still under way.
func (cl *Client) Down() error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.down
}

// Close refuses new requests, waits for those under way until ctx ends, closes
// every connection and waits for the goroutines. Requests that are still open
// then fail as of a broken connection. The error is ctx's.
func (cl *Client) Close(ctx context.Context) error {
	cl.mu.Lock()
	if !cl.closed {
		cl.closed = true
		cl.failWaiters(&transport.Error{Kind: transport.Refused, Err: errClosed})
		cl.checkIdle()
	}
	cl.mu.Unlock()

	var err error
	select {
	case <-cl.idle:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cl.stop()
	for _, c := range cl.alive() {
		if err != nil {
			c.fail(errClosed)
		} else {
			c.shut()
		}
	}
	cl.work.Wait()
	return err
}

// closeGrace is how long a connection may take to write its last frames.
const closeGrace = time.Second

// shut drains a connection that has no more requests.
func (c *conn) shut() {
	_ = c.raw.SetWriteDeadline(time.Now().Add(closeGrace)) // if it fails, so will the write
	c.drain(errClosed)
}
