package h2test

import (
	"bufio"
	"container/heap"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answer is what the lean server says to everything: what FCM says to a
// message that it took.
const answer = `{"name":"projects/belfry/messages/0:1700000000000000%1234567812345678"}`

// ServeLean answers every request on a connection with 200 after latency ±20 %,
// with little CPU of its own, until the connection ends.
func ServeLean(nc net.Conn, latency time.Duration) {
	c := &leanConn{nc: nc, latency: latency, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.write()
	defer close(c.done)
	c.read()
}

// leanConn is one connection of the lean server.
type leanConn struct {
	nc      net.Conn
	latency time.Duration
	wake    chan struct{}
	done    chan struct{}

	mu     sync.Mutex
	due    dueHeap
	window uint32 // bytes to give back
}

type due struct {
	id uint32
	at time.Time
}

type dueHeap []due

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(due)) } //nolint:errcheck // only this file pushes
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func (c *leanConn) read() {
	br := bufio.NewReaderSize(c.nc, 64<<10)
	if _, err := br.Discard(len(http2.ClientPreface)); err != nil {
		return
	}
	fr := http2.NewFramer(nil, br)
	fr.SetReuseFrames()
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		h := f.Header()
		c.mu.Lock()
		notify := len(c.due) == 0
		switch f := f.(type) {
		case *http2.DataFrame:
			c.window += h.Length
			if f.StreamEnded() {
				wait := c.latency
				if wait > 0 {
					wait += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(wait)) //nolint:gosec // jitter
				}
				at := time.Now().Add(wait)
				notify = notify || at.Before(c.due[0].at)
				heap.Push(&c.due, due{id: f.StreamID, at: at})
			}
		case *http2.SettingsFrame:
			notify = true
		}
		c.mu.Unlock()
		if notify {
			select {
			case c.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (c *leanConn) write() {
	var out []byte
	buf := &appender{b: &out}
	fr := http2.NewFramer(buf, nil)
	var block []byte
	enc := hpack.NewEncoder(&appender{b: &block})
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	_ = fr.WriteSettingsAck()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		next := time.Hour
		c.mu.Lock()
		for len(c.due) > 0 {
			if wait := c.due[0].at.Sub(now); wait > 0 {
				next = wait
				break
			}
			d, _ := heap.Pop(&c.due).(due)
			block = block[:0]
			_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			_ = enc.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/json; charset=UTF-8"})
			_ = enc.WriteField(hpack.HeaderField{Name: "server", Value: "scaffolding on HTTPServer2"})
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: d.id, BlockFragment: block, EndHeaders: true})
			_ = fr.WriteData(d.id, true, []byte(answer))
		}
		if c.window > 1<<14 {
			_ = fr.WriteWindowUpdate(0, c.window)
			c.window = 0
		}
		c.mu.Unlock()
		if len(out) > 0 {
			if _, err := c.nc.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		timer.Reset(next)
		select {
		case <-c.wake:
		case <-timer.C:
		case <-c.done:
			return
		}
	}
}

type appender struct{ b *[]byte }

func (a *appender) Write(p []byte) (int, error) {
	*a.b = append(*a.b, p...)
	return len(p), nil
}
