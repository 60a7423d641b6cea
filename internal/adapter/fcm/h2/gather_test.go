package h2

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// arrivals is a connection on which a byte arrives at each of the given times.
type arrivals struct {
	net.Conn

	begun time.Time
	at    []time.Duration
	reads int
}

func (a *arrivals) Read(p []byte) (n int, err error) {
	a.reads++
	if len(a.at) == 0 {
		return 0, io.EOF
	}
	time.Sleep(a.at[0] - time.Since(a.begun)) // not at all for what is there
	for ; n < len(p) && n < len(a.at) && a.at[n] <= time.Since(a.begun); n++ {
		p[n] = 'x'
	}
	a.at = a.at[n:]
	return n, nil
}

// readAll reads bytes one by one, and returns the longest that one of them had to wait, without the
// first few, and how many reads there were.
func readAll(t *testing.T, at []time.Duration, first int) (longest time.Duration, reads int, g *gathering) {
	t.Helper()
	a := &arrivals{begun: time.Now(), at: at}
	g = newGathering(a)
	var b [1]byte
	for i, want := range at {
		if n, err := g.Read(b[:]); n != 1 || err != nil {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		if waited := time.Since(a.begun) - want; i >= first {
			longest = max(longest, waited)
		}
	}
	if n, err := g.Read(b[:]); n != 0 || err != io.EOF { //nolint:errorlint // as it is
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	return longest, a.reads, g
}

func every(d time.Duration, n int) (at []time.Duration) {
	for i := range n {
		at = append(at, time.Duration(i+1)*d)
	}
	return at
}

// Answers that come in great numbers are read together, and wait no longer than said.
func TestBusyConnectionsGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		longest, reads, g := readAll(t, every(time.Second/2000, n), 0)
		if reads > n/6 || longest > gatherFor || !g.busy.Load() {
			t.Errorf("%d answers took %d reads, and waited up to %v; busy: %v", n, reads, longest, g.busy.Load())
		}
	})
}

// Few answers are read at once, also after many.
func TestIdleConnectionsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		longest, _, g := readAll(t, every(20*time.Millisecond, 100), 0)
		if longest > 0 || g.busy.Load() {
			t.Errorf("few answers waited up to %v; busy: %v", longest, g.busy.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		const many = 100
		at := every(time.Second/2000, many)
		for i := range 10 {
			at = append(at, time.Second+time.Duration(i)*20*time.Millisecond)
		}
		longest, _, g := readAll(t, at, many+1)
		if longest > 0 || g.busy.Load() {
			t.Errorf("after many, few answers waited up to %v; busy: %v", longest, g.busy.Load())
		}
	})
}

// A byte more or less per read changes nothing of what is read.
func TestGatheringKeepsOrder(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	go func() {
		for i := range 100 {
			_, _ = theirs.Write([]byte{byte(2 * i), byte(2*i + 1)})
		}
		_ = theirs.Close()
	}()
	got, err := io.ReadAll(newGathering(ours))
	if err != nil || len(got) != 200 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for i, b := range got {
		if int(b) != i {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}
