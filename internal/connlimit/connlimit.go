// Package connlimit bounds how many connections of a listener are open at a
// time, so that whoever opens more cannot take the process's file descriptors
// and memory. It knows nothing of what the connections carry, but for the answer
// that those beyond the limit get.
package connlimit

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// farewell bounds how long a connection beyond the limit may take to read its
	// answer, and maxFarewells how many do so at once; the others are just closed.
	farewell     = time.Second
	maxFarewells = 32
	// unread is how much of what a refused client has sent is read: closing on
	// unread bytes would reset the connection and take the answer with it.
	unread = 64 << 10
)

// Busy is an answer in HTTP/1.1 that asks to come back: a problem document as of
// Belfry's API.
const Busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\nConnection: " +
	"close\r\nContent-Length: 152\r\n\r\n" +
	`{"type":"/problems/unavailable","title":"Not available right now","status":503,"detail":"too many connections are open: try again",` +
	`"code":"unavailable"}`

// Listener is a listener of at most so many connections. It is safe for
// concurrent use.
type Listener struct {
	net.Listener

	most   int64
	answer string
	log    *zap.Logger

	open    atomic.Int64
	refused atomic.Uint64
	full    atomic.Bool // as was logged

	farewells chan struct{}
	leaving   sync.WaitGroup
}

// New bounds a listener to most (> 0) open connections. One beyond them gets the
// answer, "" for none, and is closed; that this begins and that it ends is
// logged.
func New(inner net.Listener, most int, answer string, log *zap.Logger) *Listener {
	return &Listener{Listener: inner, most: int64(most), answer: answer, log: log, farewells: make(chan struct{}, maxFarewells)}
}

// Open returns how many connections are open.
func (l *Listener) Open() int64 { return l.open.Load() }

// Refused returns how many connections were beyond the limit so far.
func (l *Listener) Refused() uint64 { return l.refused.Load() }

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &counted{Conn: conn, from: l}, nil
		}
		l.open.Add(-1)
		l.refuse(conn)
	}
}

// Close implements [net.Listener]. Answers that are under way are waited for, a
// second at most.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.leaving.Wait()
	return err
}

func (l *Listener) refuse(conn net.Conn) {
	l.refused.Add(1)
	if l.full.CompareAndSwap(false, true) {
		l.log.Warn("connections are refused: as many are open as may be (BELFRY_MAX_CONNECTIONS)",
			zap.String("listen", l.Addr().String()), zap.Int64("most", l.most))
	}
	if l.answer == "" {
		_ = conn.Close()
		return
	}
	select {
	case l.farewells <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	l.leaving.Go(func() {
		defer func() { <-l.farewells }()
		defer func() { _ = conn.Close() }()
		if conn.SetDeadline(time.Now().Add(farewell)) != nil {
			return
		}
		if _, err := io.WriteString(conn, l.answer); err != nil {
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, conn, unread) // ends with the client's close, or the deadline
	})
}

// released counts a connection out. The log speaks of the limit again only after
// there was some room.
func (l *Listener) released() {
	if l.open.Add(-1) <= l.most-max(l.most/8, 1) && l.full.CompareAndSwap(true, false) {
		l.log.Info("connections are taken again", zap.String("listen", l.Addr().String()), zap.Uint64("refused_so_far", l.refused.Load()))
	}
}

// counted is a connection that counts.
type counted struct {
	net.Conn

	from *Listener
	once sync.Once
}

// NetConn returns the connection inside, as [crypto/tls.Conn.NetConn] does. It is
// not to be closed.
func (c *counted) NetConn() net.Conn { return c.Conn }

// Close implements [net.Conn].
func (c *counted) Close() error {
	c.once.Do(c.from.released)
	return c.Conn.Close()
}
