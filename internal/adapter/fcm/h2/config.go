package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Config says whom to talk to and with how much. Zero fields get the defaults
// named beside them.
type Config struct {
	// Addr is the host:port to dial.
	Addr string
	// TLS configures the handshake; NextProtos is overwritten with "h2". Nil
	// means cleartext with prior knowledge (§3.3).
	TLS *tls.Config
	// Connections is how many connections are kept, 1..1000; 10.
	Connections int
	// MaxStreams bounds the concurrent requests of one connection; the peer's
	// SETTINGS_MAX_CONCURRENT_STREAMS bounds them as well. 90.
	MaxStreams int
	// Timeout is how long a request may take, waiting for a stream included;
	// it is checked about every 100 ms. 15 s.
	Timeout time.Duration
	// DialTimeout bounds connecting, the TLS handshake and the exchange of
	// SETTINGS together; 10 s.
	DialTimeout time.Duration
	// PingIdle and PingBusy are after how long a silence a connection without
	// and with open requests is pinged (§6.7); 30 s and 10 s. A connection that
	// stays silent for PingTimeout after that is given up; 5 s.
	PingIdle, PingBusy, PingTimeout time.Duration
	// Backoff is the first wait before a slot dials again after a failure; it
	// doubles up to 100 times itself. 100 ms.
	Backoff time.Duration
	// Jitter picks a wait in [0, d); by default evenly at random.
	Jitter func(d time.Duration) time.Duration
	// Dial opens the transport connection; by default a [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnConnections is told the number of connections in service whenever it
	// changes. It is called with a lock held and must not block.
	OnConnections func(n int)
}

// Bounds of the configuration.
const (
	maxConnections = 1000
	maxMaxStreams  = 10_000
)

func (c *Config) setDefaults() error {
	def(&c.Connections, 10)
	def(&c.MaxStreams, 90)
	def(&c.Timeout, 15*time.Second)
	def(&c.DialTimeout, 10*time.Second)
	def(&c.PingIdle, 30*time.Second)
	def(&c.PingBusy, 10*time.Second)
	def(&c.PingTimeout, 5*time.Second)
	def(&c.Backoff, 100*time.Millisecond)
	if c.Jitter == nil {
		//nolint:gosec // spreads redials; nothing secret hangs on it
		c.Jitter = func(d time.Duration) time.Duration { return rand.N(d) }
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.OnConnections == nil {
		c.OnConnections = func(int) {}
	}
	var faults []error
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		faults = append(faults, fmt.Errorf("addr: must be host:port: %w", err))
	}
	if c.Connections < 1 || c.Connections > maxConnections {
		faults = append(faults, fmt.Errorf("connections: must be 1..%d (got %d)", maxConnections, c.Connections))
	}
	if c.MaxStreams < 1 || c.MaxStreams > maxMaxStreams {
		faults = append(faults, fmt.Errorf("max streams: must be 1..%d (got %d)", maxMaxStreams, c.MaxStreams))
	}
	if c.Timeout < 0 || c.DialTimeout < 0 || c.PingIdle < 0 || c.PingBusy < 0 || c.PingTimeout < 0 || c.Backoff < 0 {
		faults = append(faults, errors.New("durations must not be negative"))
	}
	return errors.Join(faults...)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
