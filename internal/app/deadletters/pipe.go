package deadletters

import (
	"context"
	"net"
	"os"
	"sync"
)

// pipes is a listener inside the process: no address, nobody else can reach it.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

var _ net.Listener = (*pipes)(nil)

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

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
func (p *pipes) Addr() net.Addr { return inProcess{} }

// dial is the DialContext of a client's transport.
func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- conn{server}:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// conn is a connection that says which machine it is on: the audit log has that.
type conn struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (conn) RemoteAddr() net.Addr { return here{} }

// here is the address of a peer inside the process.
type here struct{}

// Network implements net.Addr.
func (here) Network() string { return "pipe" }

// String implements net.Addr. The port says that there is none.
func (here) String() string {
	name, err := os.Hostname()
	if err != nil {
		return inProcess{}.String()
	}
	return net.JoinHostPort(name, "0")
}

// inProcess is the address of everything here.
type inProcess struct{}

// Network implements net.Addr.
func (inProcess) Network() string { return "pipe" }

// String implements net.Addr.
func (inProcess) String() string { return "in-process" }
