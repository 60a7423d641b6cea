package fcmsim

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// connState is what the simulator knows of one client connection.
type connState struct {
	conn  net.Conn
	epoch atomic.Uint64 // the epoch in which it was last counted, see Sim.countConn
}

type connKey struct{}

// withConn puts the connection into the context of its requests; http.Server offers no other way to reach it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &connState{conn: c})
}

func connOf(ctx context.Context) *connState {
	c, _ := ctx.Value(connKey{}).(*connState)
	return c
}

// cut ends the connection at once, with a reset rather than a farewell, and with it all requests on it.
func (c *connState) cut() {
	raw := c.conn
	switch wrapped := raw.(type) {
	case *tls.Conn:
		raw = wrapped.NetConn()
	case *peekedConn:
		raw = wrapped.Conn
	}
	inner := raw
	if counted, ok := raw.(interface{ NetConn() net.Conn }); ok { // by the limit on connections
		inner = counted.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
