package lean

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

// Config is what a server is built from; all of it is required.
type Config struct {
	// API answers calls of the send endpoint.
	API *sendapi.API
	// Handler answers every other request, and those that a browser says it sends.
	Handler http.Handler
	// MaxStreams is the number of requests at a time on one HTTP/2 connection, 1 to the largest int32.
	MaxStreams int
	// Now is the clock of Date headers.
	Now func() time.Time
	// Logger hears of what breaks.
	Logger *zap.Logger
}

// Server serves one listener without TLS. It is safe for concurrent use.
type Server struct {
	cfg        Config
	maxStreams uint32
	front      *front

	running sync.WaitGroup // connections, and requests that have a goroutine of their own

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

// Serve serves a listener until [Server.Stop].
func Serve(l net.Listener, cfg Config) (*Server, error) {
	s := &Server{
		cfg:        cfg,
		maxStreams: uint32(cfg.MaxStreams), //nolint:gosec // the caller bounds it to an int32
		conns:      make(map[*conn]struct{}),
	}
	var err error
	if s.front, err = newFront(l, s); err != nil {
		return nil, err
	}
	s.front.start()
	return s, nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.front.listener.Addr() }

// serve serves one HTTP/2 connection until it ends and closes it. in is what to read from, if something was read of raw
// before; it begins with the client's preface.
func (s *Server) serve(raw net.Conn, in io.Reader) {
	c := newConn(s, raw, in)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = raw.Close()
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

// GoAway announces on all HTTP/2 connections that they will be closed. Requests that have arrived are answered, new ones
// must use a new connection; the old one is closed a second after its last answer. HTTP/1.1 connections are left alone.
func (s *Server) GoAway() {
	for _, c := range s.list() {
		c.leave(false)
	}
}

// Stop stops listening and lets requests finish until ctx ends; then it cuts off the rest and returns ctx's error.
// Requests that hang are ended at once.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.front.refuse(), s.close(ctx), s.front.close(ctx))
}

// close is Stop for HTTP/2.
func (s *Server) close(ctx context.Context) error {
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

func (s *Server) list() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}
