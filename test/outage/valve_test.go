package outage

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// valve is a TCP proxy in front of a service. Shut, it lets nothing through in
// either direction and keeps every connection, new ones too: the service is
// silent. What came meanwhile goes on when it opens, or, where it loses, never:
// then all connections of before stay silent, as after a change of route.
// Broken, it resets every connection: the service is away.
type valve struct {
	url    string
	target string

	mu     sync.Mutex
	turned *sync.Cond
	shut   bool
	loses  bool
	broken bool
	over   bool
	times  int // it was shut
	conns  map[net.Conn]struct{}
}

// newValve listens in front of a base URL until the test ends.
func newValve(t *testing.T, service string) *valve {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{url: "http://" + ln.Addr().String(), target: strings.TrimPrefix(service, "http://"), conns: map[net.Conn]struct{}{}}
	v.turned = sync.NewCond(&v.mu)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { v.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		v.set(func() { v.over = true })
		v.cut()
		open.Wait()
	})
	return v
}

// silent shuts the valve, or opens it again.
func (v *valve) silent(yes bool) {
	v.set(func() {
		if v.shut = yes; yes {
			v.times++
		}
	})
}

// away resets all connections from now on, or takes them again.
func (v *valve) away(yes bool) {
	v.set(func() { v.broken = yes })
	if yes {
		v.cut()
	}
}

func (v *valve) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	v.turned.Broadcast()
}

func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for conn := range v.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, not an end
		}
		_ = conn.Close()
	}
}

// pass waits until the bytes of a connection may go; false means that they never
// will. since is how often the valve had been shut when the connection came.
func (v *valve) pass(since int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for (v.shut || v.loses && v.times > since) && !v.broken && !v.over {
		v.turned.Wait()
	}
	return !v.broken && !v.over
}

// now is how often the valve was shut before now; a connection that comes while
// it is shut is one of before.
func (v *valve) now() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.shut {
		return v.times - 1
	}
	return v.times
}

func (v *valve) serve(from net.Conn) {
	defer v.forget(from)
	v.remember(from)
	since := v.now()
	if !v.pass(since) {
		if tcp, ok := from.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	to, err := net.Dial("tcp", v.target)
	if err != nil {
		return
	}
	defer v.forget(to)
	v.remember(to)
	var back sync.WaitGroup
	back.Go(func() {
		v.carry(from, to, since)
		_ = from.Close()
	})
	v.carry(to, from, since)
	_ = to.Close()
	back.Wait()
}

// carry copies until an end or an error.
func (v *valve) carry(to io.Writer, from io.Reader, since int) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !v.pass(since) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil && !errors.Is(err, io.ErrNoProgress) {
			return
		}
	}
}

func (v *valve) remember(conn net.Conn) { v.set(func() { v.conns[conn] = struct{}{} }) }

func (v *valve) forget(conn net.Conn) {
	_ = conn.Close()
	v.set(func() { delete(v.conns, conn) })
}
