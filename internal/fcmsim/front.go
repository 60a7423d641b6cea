package fcmsim

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/connlimit"
)

// helloTimeout is how long a connection may stay without saying anything.
const helloTimeout = 10 * time.Second

// acceptPause lets a shortage of file descriptors pass instead of spinning on it.
const acceptPause = 10 * time.Millisecond

// front is one listener: it sends HTTP/2 connections to an h2server and the others to net/http. Over TLS the client
// names the protocol (ALPN); without TLS its first bytes tell (RFC 9113 §3.3).
type front struct {
	listener net.Listener
	h2       *h2server
	http1    *http.Server
	queue    *connQueue // of the plain front: hands HTTP/1.1 connections to http1
	log      *zap.Logger

	running sync.WaitGroup

	mu     sync.Mutex
	silent map[net.Conn]struct{} // connections whose protocol is not known yet
	closed bool
}

// listen opens a front and serves it until close. A nil encryption is none.
func listen(cfg Config, address string, encryption *tls.Config, handler http.Handler, h2 *h2server) (*front, error) {
	inner, err := net.Listen("tcp", address) //nolint:noctx // a local listener is bound at once
	if err != nil {
		return nil, fmt.Errorf("fcmsim: listen: %w", err)
	}
	beyond, log := connlimit.Busy, cfg.Logger
	if encryption != nil {
		beyond = "" // nothing can be said before a handshake
	}
	l := connlimit.New(inner, cfg.MaxConnections, beyond, log)
	errorLog, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fcmsim: server log: %w", err), l.Close())
	}
	f := &front{
		listener: l, h2: h2, log: log, queue: newConnQueue(l.Addr()), silent: make(map[net.Conn]struct{}),
		http1: &http.Server{
			Handler: handler, TLSConfig: encryption, ErrorLog: errorLog, ConnContext: withConn,
			ReadHeaderTimeout: helloTimeout,
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
				"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) { h2.serve(conn, conn) },
			},
		},
	}
	if encryption != nil {
		f.running.Go(func() { f.ended(f.http1.ServeTLS(l, "", "")) })
		return f, nil
	}
	f.running.Go(func() { f.ended(f.http1.Serve(f.queue)) })
	f.running.Go(f.accept)
	return f, nil
}

func (f *front) ended(err error) {
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		f.log.Error("simulator stopped serving", zap.Error(err))
	}
}

// accept takes connections without TLS.
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
		f.running.Go(func() { f.greet(conn) })
	}
}

// greet finds out what a connection speaks and serves it, if that is HTTP/2, or hands it on.
func (f *front) greet(conn net.Conn) {
	if !f.listenTo(conn) {
		_ = conn.Close()
		return
	}
	in := bufio.NewReader(conn)
	// No HTTP/1.1 method begins like HTTP/2's preface, and no request is shorter than this.
	first, err := in.Peek(len("PRI"))
	f.know(conn)
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
	f.silent[conn] = struct{}{}
	return true
}

func (f *front) know(conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.silent, conn)
}

// refuse stops taking connections.
func (f *front) refuse() error {
	err := f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for conn := range f.silent {
		_ = conn.Close()
	}
	return err
}

// close waits for HTTP/1.1 requests until ctx ends and cuts off the rest; it returns ctx's error if it had to. The
// front must refuse connections, and its h2server must be closed, before.
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
