package awsconf

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// address is what the server of [listen] is called; its dialer does not look.
const address = "http://service.test"

// listen starts an HTTP server without a network, so that it may stand in a
// bubble of synctest, and returns how to reach it. It ends with the test.
func listen(t *testing.T, serve http.HandlerFunc) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: serve}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(p) })
	t.Cleanup(func() {
		_ = server.Close()
		served.Wait()
	})
	return p.dial
}

// pipes is a listener whose connections have a name each.
type pipes struct {
	conns  chan net.Conn
	dialed atomic.Int64
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return name("server") }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- named{theirs, name(fmt.Sprintf("client-%d", p.dialed.Add(1)))}:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// named is a connection that says whose it is.
type named struct {
	net.Conn
	peer name
}

// RemoteAddr implements net.Conn.
func (n named) RemoteAddr() net.Addr { return n.peer }

// name is the address of one end.
type name string

// Network implements net.Addr.
func (name) Network() string { return "pipe" }

// String implements net.Addr.
func (n name) String() string { return string(n) }
