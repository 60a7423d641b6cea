package h2

import (
	"net"
	"sync/atomic"
	"time"
)

const (
	// gatherFor is how long answers gather on a busy connection before they are read. At a thousand
	// answers a second that makes four of each system call, and of each wake-up of the process, for
	// 2 ms of latency on average.
	gatherFor = 4 * time.Millisecond
	// gatherOut is the same for requests: what goes on when answers were read goes out together.
	gatherOut = 1500 * time.Microsecond

	// A connection is busy after so many reads in a row that followed each other soon, and stays so
	// as long as reads find something in time.
	busyAfter = 4
	soon      = time.Millisecond
	idleAfter = 3 * gatherFor

	gatherBytes = 32 << 10
)

// gathering is a connection below TLS that reads many answers at a time when they come in great
// numbers. As long as they don't, it reads at once. One goroutine reads.
type gathering struct {
	net.Conn

	busy atomic.Bool

	room  []byte
	rest  []byte // of room: read, and not yet asked for
	last  time.Time
	quick int // reads in a row that followed each other soon
	timer *time.Timer
}

func newGathering(c net.Conn) *gathering {
	return &gathering{Conn: c, room: make([]byte, gatherBytes), timer: stoppedTimer()}
}

// Read implements net.Conn.
func (g *gathering) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.busy.Load() {
			wait(g.timer, gatherFor)
		}
		n, err := g.Conn.Read(g.room)
		if n == 0 {
			return 0, err
		}
		g.rest = g.room[:n] // an error that came along will come again
		g.judge(time.Now())
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// judge finds out, after a read, whether the connection is busy.
func (g *gathering) judge(now time.Time) {
	since := now.Sub(g.last)
	g.last = now
	switch {
	case g.busy.Load():
		g.busy.Store(since < idleAfter)
	case since >= soon:
		g.quick = 0
	default:
		if g.quick++; g.quick == busyAfter {
			g.quick = 0
			g.busy.Store(true)
		}
	}
}

// stoppedTimer returns a timer for wait.
func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func wait(t *time.Timer, d time.Duration) {
	t.Reset(d)
	<-t.C
}
