package lean

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

// helloTimeout is how long a connection may stay without saying anything.
const helloTimeout = 10 * time.Second

// acceptPause lets a shortage of file descriptors pass instead of spinning on it.
const acceptPause = 10 * time.Millisecond

// front sorts the connections of a listener: it sends HTTP/2 to the server and the others to net/http. A connection's
// first bytes tell (RFC 9113 §3.3).
type front struct {
	listener net.Listener
	h2       *Server
	http1    *http.Server
	queue    *connQueue // hands HTTP/1.1 connections to http1
	log      *zap.Logger

	running sync.WaitGroup

	mu           sync.Mutex
	unidentified map[net.Conn]struct{} // connections whose protocol is not known yet
	closed       bool
}

func newFront(l net.Listener, h2 *Server) (*front, error) {
	errorLog, err := zap.NewStdLogAt(h2.cfg.Logger, zap.DebugLevel)
	if err != nil {
		return nil, fmt.Errorf("server log: %w", err)
	}
	return &front{
		listener: l, h2: h2, log: h2.cfg.Logger, queue: newConnQueue(l.Addr()), unidentified: make(map[net.Conn]struct{}),
		http1: &http.Server{Handler: h2.cfg.Handler, ErrorLog: errorLog, ConnContext: sendapi.WithConn, ReadHeaderTimeout: helloTimeout},
	}, nil
}

// start serves until close.
func (f *front) start() {
	f.running.Go(func() { f.ended(f.http1.Serve(f.queue)) })
	f.running.Go(f.accept)
}

func (f *front) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		f.log.Error("simulator stopped serving", zap.Error(err))
	}
}

// accept takes connections.
func (f *front) accept() {
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
		f.running.Go(func() { f.identify(conn) })
	}
}

// identify finds out which protocol a connection speaks, and serves HTTP/2 or passes the connection
// on to net/http.
func (f *front) identify(conn net.Conn) {
	if !f.listenTo(conn) {
		_ = conn.Close()
		return
	}
	in := bufio.NewReader(conn)
	// No HTTP/1.1 method begins like HTTP/2's preface, and no request is shorter than this.
	first, err := in.Peek(len("PRI"))
	f.identified(conn)
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	switch {
	case err != nil:
		_ = conn.Close()
	case string(first) == "PRI":
		f.h2.serve(conn, in)
	case !f.queue.offer(&peekedConn{Conn: conn, in: in}):
		_ = conn.Close()
	}
}

// listenTo begins the wait for a connection's first bytes, unless the front is closed.
func (f *front) listenTo(conn net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || conn.SetReadDeadline(time.Now().Add(helloTimeout)) != nil {
		return false
	}
	f.unidentified[conn] = struct{}{}
	return true
}

func (f *front) identified(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.unidentified, conn)
}

// refuse stops taking connections.
func (f *front) refuse() error {
	err := f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for conn := range f.unidentified {
		_ = conn.Close()
	}
	return err
}

// close waits for HTTP/1.1 requests until ctx ends and cuts off the rest; it returns ctx's error if it had to. The
// front must refuse connections, and the HTTP/2 connections must be closed, before.
func (f *front) close(ctx context.Context) error {
	err := f.http1.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, f.http1.Close())
	}
	f.running.Wait()
	return err
}

// peekedConn is a connection whose first bytes were read already.
type peekedConn struct {
	net.Conn
	in *bufio.Reader
}

// NetConn returns the connection inside, as [crypto/tls.Conn.NetConn] does.
func (c *peekedConn) NetConn() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *peekedConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// connQueue is a net.Listener that accepts what it is offered.
type connQueue struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// offer reports whether somebody took the connection.
func (q *connQueue) offer(c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.done:
		return false
	}
}

// Accept implements net.Listener.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The connections that were taken live on.
func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements net.Listener.
func (q *connQueue) Addr() net.Addr { return q.addr }
