package fcmsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

const (
	// helloTimeout is how long a connection may stay without saying anything.
	helloTimeout = 10 * time.Second
	// acceptPause lets a shortage of file descriptors pass instead of spinning on it.
	acceptPause = 10 * time.Millisecond
	// streamWindow lets a client send the largest permitted body, and more, without waiting for window updates, and
	// connWindow is far above what fits into a connection's streams at the usual sizes.
	streamWindow = 2 * sendapi.MaxBody
	connWindow   = 16 << 20
)

// front is one listener, served by net/http: HTTP/1.1 and HTTP/2, over TLS or in the clear (with prior knowledge).
//
// An http.Server says goodbye to its connections only when it shuts down, which it does once. So a front has one after
// the other: goAway starts the next generation and shuts the present one down, which serves its connections to their end.
type front struct {
	listener net.Listener
	server   func() *http.Server
	log      *zap.Logger

	accepted chan net.Conn // taken by the present generation
	ended    chan struct{} // closed when no more connections come
	running  sync.WaitGroup

	mu      sync.Mutex
	present *generation
	alive   map[*generation]struct{} // the present one and those that have connections left
	stopped bool
}

// serve serves a listener until stop. A nil encryption is none.
func serve(l net.Listener, cfg Config, encryption *tls.Config, handler http.Handler) (*front, error) {
	errorLog, err := zap.NewStdLogAt(cfg.Logger, zap.DebugLevel)
	if err != nil {
		return nil, fmt.Errorf("server log: %w", err)
	}
	f := &front{
		listener: l, log: cfg.Logger,
		accepted: make(chan net.Conn), ended: make(chan struct{}), alive: make(map[*generation]struct{}),
	}
	f.server = func() *http.Server {
		s := &http.Server{
			Handler: handler, ErrorLog: errorLog, ReadHeaderTimeout: helloTimeout,
			ConnContext: sendapi.WithConn, ConnState: f.watch, Protocols: new(http.Protocols),
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:      cfg.MaxStreams,
				MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connWindow,
			},
		}
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetHTTP2(encryption != nil)
		s.Protocols.SetUnencryptedHTTP2(encryption == nil)
		if encryption != nil {
			s.TLSConfig = encryption.Clone()
		}
		return s
	}
	f.mu.Lock()
	f.begin()
	f.mu.Unlock()
	f.running.Go(f.accept)
	return f, nil
}

// Addr returns where the front listens.
func (f *front) Addr() net.Addr { return f.listener.Addr() }

// accept takes connections until the listener is closed.
func (f *front) accept() {
	defer close(f.ended)
	for {
		conn, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			f.log.Warn("simulator could not accept a connection", zap.Error(err))
			<-time.NewTimer(acceptPause).C
			continue
		}
		f.accepted <- conn // the last generation ends after this goroutine
	}
}

// watch counts connections, so that stop can wait for them.
func (f *front) watch(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		f.running.Add(1)
	case http.StateClosed:
		f.running.Done()
	case http.StateActive, http.StateIdle, http.StateHijacked:
	}
}

// begin starts a generation and returns the one before, nil if it is the first. The lock is held.
func (f *front) begin() (before *generation) {
	g := &generation{from: f, server: f.server(), leaving: make(chan struct{}), left: make(chan struct{})}
	before, f.present = f.present, g
	f.alive[g] = struct{}{}
	f.running.Go(g.run)
	return before
}

// GoAway says goodbye to all connections: HTTP/2 gets a GOAWAY frame, HTTP/1.1 is closed after the request under way.
func (f *front) GoAway() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	before := f.begin()
	f.running.Go(func() {
		before.leave()
		_ = before.server.Shutdown(context.Background()) // a generation's listener closes without error
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.alive, before)
	})
}

// Stop stops listening and lets requests finish until ctx ends; then it cuts off the rest and returns ctx's error.
func (f *front) Stop(ctx context.Context) error {
	failed := []error{f.listener.Close()}
	<-f.ended
	f.mu.Lock()
	f.stopped = true
	leaving := make([]*generation, 0, len(f.alive))
	for g := range f.alive {
		leaving = append(leaving, g)
	}
	f.mu.Unlock()
	ends := make(chan error)
	for _, g := range leaving {
		go func() {
			g.leave()
			err := g.server.Shutdown(ctx)
			if err != nil {
				err = errors.Join(err, g.server.Close())
			}
			ends <- err
		}()
	}
	for range leaving {
		failed = append(failed, <-ends)
	}
	f.running.Wait()
	return errors.Join(failed...)
}

// generation is one http.Server of a front and the listener that it serves.
type generation struct {
	from    *front
	server  *http.Server
	once    sync.Once
	leaving chan struct{} // closed when it takes no more connections
	left    chan struct{} // closed when that has come into effect
}

// run serves until leave.
func (g *generation) run() {
	defer close(g.left)
	var err error
	if g.server.TLSConfig != nil {
		err = g.server.ServeTLS(g, "", "")
	} else {
		err = g.server.Serve(g)
	}
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		g.from.log.Error("simulator stopped serving", zap.Error(err))
	}
}

// leave hands connections over to the next generation. It returns when none can come in any more: a server that shuts
// down would drop it.
func (g *generation) leave() {
	_ = g.Close()
	<-g.left
}

// Accept implements [net.Listener].
func (g *generation) Accept() (net.Conn, error) {
	select {
	case <-g.leaving:
		return nil, net.ErrClosed
	case conn := <-g.from.accepted:
		return conn, nil
	}
}

// Close implements [net.Listener].
func (g *generation) Close() error {
	g.once.Do(func() { close(g.leaving) })
	return nil
}

// Addr implements [net.Listener].
func (g *generation) Addr() net.Addr { return g.from.listener.Addr() }
