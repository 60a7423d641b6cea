package crash

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy passes TCP connections on, and cuts some of them in the middle.
type proxy struct {
	listener net.Listener
	target   string
	left     atomic.Int64 // connections still to be cut
	mu       sync.Mutex
	chance   *rand.Rand
	alive    sync.WaitGroup
}

// startProxy returns a proxy to target that cuts so many connections, each after
// a random number of the client's bytes below most.
func startProxy(t *testing.T, target string, cuts, most int64) *proxy {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, chance: rand.New(rand.NewPCG(1, 2))}
	p.left.Store(cuts)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p.alive.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.alive.Go(func() { p.serve(ctx, conn, most) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		p.alive.Wait()
	})
	return p
}

func (p *proxy) serve(ctx context.Context, conn net.Conn, most int64) {
	defer func() { _ = conn.Close() }()
	var d net.Dialer
	up, err := d.DialContext(ctx, "tcp", p.target)
	if err != nil {
		return // the server is away: so is the connection
	}
	defer func() { _ = up.Close() }()
	stop := context.AfterFunc(ctx, func() { _, _ = conn.Close(), up.Close() })
	defer stop()
	p.alive.Go(func() {
		_, _ = io.Copy(conn, up)
		_, _ = conn.Close(), up.Close()
	})
	if p.left.Load() <= 0 {
		_, _ = io.Copy(up, conn)
		return
	}
	p.mu.Lock()
	bytes := p.chance.Int64N(most)
	p.mu.Unlock()
	if _, err := io.CopyN(up, conn, bytes); err == nil {
		p.left.Add(-1)
	}
}
