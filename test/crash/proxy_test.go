package crash

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// cutter is a TCP proxy that breaks connections: after a random number of bytes
// on their way to the server, the one that carried the last of them is reset on
// both sides, until it has cut as often as it should.
type cutter struct {
	target string
	cut    chan int // the number of each cut, from 1

	mu    sync.Mutex
	rand  *rand.Rand
	left  int // cuts still to make
	made  int
	bytes int // until the next one
	conns map[net.Conn]struct{}
}

// between the bytes that pass from one cut to the next.
const fewest, most = 64 << 10, 768 << 10

// newCutter listens until the test ends, and returns its address.
func newCutter(t *testing.T, target string, cuts int, seed uint64) (*cutter, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{
		target: target, cut: make(chan int, cuts), left: cuts, conns: map[net.Conn]struct{}{},
		rand: rand.New(rand.NewPCG(seed, 0)), bytes: fewest,
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		c.mu.Lock()
		for conn := range c.conns {
			_ = conn.Close()
		}
		c.mu.Unlock()
		open.Wait()
	})
	return c, ln.Addr().String()
}

// serve carries one connection; a server that is down looks like a broken one.
func (c *cutter) serve(from net.Conn) {
	defer c.forget(from)
	c.remember(from)
	to, err := net.Dial("tcp", c.target)
	if err != nil {
		reset(from)
		return
	}
	defer c.forget(to)
	c.remember(to)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(from, to)
		_ = from.Close()
	})
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if err == nil && c.due(n) {
			reset(from)
			reset(to)
			break
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	back.Wait()
}

// due counts bytes and reports whether the connection is cut here.
func (c *cutter) due(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes -= n; c.bytes > 0 || c.left == 0 {
		return false
	}
	c.left--
	c.made++
	c.bytes = fewest + c.rand.IntN(most-fewest)
	c.cut <- c.made
	return true
}

func (c *cutter) remember(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = struct{}{}
}

func (c *cutter) forget(conn net.Conn) {
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// reset closes a connection so that its peer sees an error, not an end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
