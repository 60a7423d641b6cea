package fcmsim

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"go.uber.org/zap"
)

// h2server speaks HTTP/2 (RFC 9113) as far as an FCM client can tell. It is not net/http's because the simulator runs
// on the same processors as the sender under test: net/http takes a goroutine, several hand-overs and two writes for
// every request, about five times what a simulated answer is worth. Here the goroutine that reads a connection decides
// in place, and answers that fall due together leave in one write.
type h2server struct {
	sim        *Sim
	other      http.Handler // for every path but the send endpoint, and for browsers
	maxStreams uint32
	log        *zap.Logger

	running sync.WaitGroup // connections, and requests that have a goroutine of their own

	mu     sync.Mutex
	conns  map[*h2conn]struct{}
	closed bool
}

func newH2Server(sim *Sim, other http.Handler) *h2server {
	return &h2server{
		sim: sim, other: other, log: sim.cfg.Logger,
		maxStreams: uint32(sim.cfg.MaxStreams), //nolint:gosec // Config bounds it to an int32
		conns:      make(map[*h2conn]struct{}),
	}
}

// serve serves one connection until it ends and closes it. in is what to read from, if something was read of conn
// before; it begins with the client's preface.
func (s *h2server) serve(conn net.Conn, in io.Reader) {
	c := newH2Conn(s, conn, in)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = conn.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()

	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}()
	c.run()
}

// goAway announces on all connections that they will be closed.
func (s *h2server) goAway() {
	for _, c := range s.list() {
		c.leave(false)
	}
}

// close lets requests finish until ctx ends, cuts off the rest and returns ctx's error if it had to.
func (s *h2server) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.list() {
		c.leave(true)
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	cut := s.list()
	for _, c := range cut {
		c.close()
	}
	<-done
	if len(cut) == 0 {
		return nil
	}
	return fmt.Errorf("cut off %d HTTP/2 connections: %w", len(cut), context.Cause(ctx))
}

func (s *h2server) list() []*h2conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*h2conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}
