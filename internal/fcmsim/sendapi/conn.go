package sendapi

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// Conn is what the simulator knows of one client connection.
type Conn struct {
	raw   net.Conn
	epoch atomic.Uint64 // the epoch in which it was last counted, see API.count
}

type connKey struct{}

// NewConn returns what is known of a new connection.
func NewConn(c net.Conn) *Conn { return &Conn{raw: c} }

// WithConn puts a new connection into the context of its requests, as net/http's Server.ConnContext: there is no other way
// to reach it.
func WithConn(ctx context.Context, c net.Conn) context.Context { return NewConn(c).In(ctx) }

// In puts the connection into the context of its requests.
func (c *Conn) In(ctx context.Context) context.Context { return context.WithValue(ctx, connKey{}, c) }

func connOf(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// Cut ends the connection at once, with a reset and without a GOAWAY, and with it all requests on it.
func (c *Conn) Cut() {
	raw := c.raw
	if encrypted, ok := raw.(*tls.Conn); ok {
		raw = encrypted.NetConn()
	}
	inner := raw
	for {
		wrapped, ok := inner.(interface{ NetConn() net.Conn }) // by the limit on connections, or by a peek
		if !ok {
			break
		}
		inner = wrapped.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}
