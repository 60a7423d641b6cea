package h2

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// TestWaiters compares the queue with a slice.
func TestWaiters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q waiters
		var model []*waiter
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				w := &waiter{}
				q.push(w)
				model = append(model, w)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if q.pop() != model[0] {
					t.Fatal("not the oldest")
				}
				model = model[1:]
			},
			"remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
				if !q.remove(model[i]) || q.remove(model[i]) {
					t.Fatal("must be removed exactly once")
				}
				model = append(model[:i:i], model[i+1:]...)
			},
			"": func(t *rapid.T) {
				if q.len() != len(model) {
					t.Fatalf("length %d, want %d", q.len(), len(model))
				}
			},
		})
	})
}

// loose returns a connection without goroutines that reads from r, with open
// streams 1, 3 and 5.
func loose(r io.Reader) (*conn, []*stream) {
	cl := &Client{log: zap.NewNop(), living: map[*conn]bool{}, idle: make(chan struct{}), cfg: Config{Addr: "x:1"}}
	_ = cl.cfg.setDefaults()
	ours, theirs := net.Pipe()
	_ = theirs.Close()
	c := newConn(cl, ours, newGathering(ours), bufio.NewReader(r))
	cl.install(c)
	var open []*stream
	for range 3 {
		cl.mu.Lock()
		c.active++
		cl.inflight++
		cl.mu.Unlock()
		header := transport.NewHeader("http", "x", "/")
		open = append(open, c.open(context.Background(), header, []byte("body"), &transport.Response{}, time.Time{}))
	}
	return c, open
}

// FuzzPeer feeds whatever a peer may send to a connection with open requests:
// it must not panic, and every request must end exactly once.
func FuzzPeer(f *testing.F) {
	for _, write := range []func(*http2.Framer){
		func(fr *http2.Framer) {
			_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		},
		func(fr *http2.Framer) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}, EndHeaders: true})
			_ = fr.WriteData(1, true, []byte(`{"name":"n"}`))
		},
		func(fr *http2.Framer) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x88}})
			_ = fr.WriteContinuation(3, true, []byte{0x58, 1, 'a'})
			_ = fr.WriteDataPadded(3, false, []byte("x"), make([]byte, 4))
		},
		func(fr *http2.Framer) { _ = fr.WriteRSTStream(5, http2.ErrCodeRefusedStream) },
		func(fr *http2.Framer) { _ = fr.WriteGoAway(3, http2.ErrCodeNo, []byte("bye")) },
		func(fr *http2.Framer) { _ = fr.WriteWindowUpdate(0, 1<<31-1) },
		func(fr *http2.Framer) { _ = fr.WritePing(false, [8]byte{1}) },
	} {
		var b bytes.Buffer
		write(http2.NewFramer(&b, nil))
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, open := loose(bytes.NewReader(sent))
		c.readLoop()
		c.fail(io.EOF)
		for _, s := range open {
			select {
			case <-s.done:
			default:
				t.Fatal("a request never ended")
			}
			if s.err == nil && s.resp.Status < 200 {
				t.Fatalf("answer with status %d", s.resp.Status)
			}
		}
		if c.active != 0 || c.client.inflight != 0 || len(c.streams) != 0 {
			t.Fatalf("left over: %d places, %d streams", c.active, len(c.streams))
		}
	})
}

// TestStreamIDsRunOut moves a connection close to its last id: the next takes
// over and nobody notices.
func TestStreamIDsRunOut(t *testing.T) {
	t.Parallel()
	c, _ := loose(strings.NewReader(""))
	c.lastID = 7
	if s := c.open(t.Context(), transport.NewHeader("http", "x", "/"), nil, &transport.Response{}, time.Time{}); s == nil || s.id != 7 {
		t.Fatalf("got %+v, want the last stream, 7", s)
	}
	if s := c.open(t.Context(), transport.NewHeader("http", "x", "/"), nil, &transport.Response{}, time.Time{}); s != nil {
		t.Fatalf("opened stream %d beyond the last", s.id)
	}
	if c.client.Connections() != 0 {
		t.Error("still in service")
	}
	select {
	case <-c.retired:
	default:
		t.Error("its keeper was not told")
	}
}

// TestAbandonRace ends a request that the reader has ended already: the answer
// wins.
func TestAbandonRace(t *testing.T) {
	t.Parallel()
	c, open := loose(strings.NewReader(""))
	s := open[1]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.mu.Lock()
	s.ctx, open[0].ctx = ctx, ctx
	s.deadline, open[0].deadline = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
	s.resp.Status = 200
	c.complete(s)
	c.sweep(time.Now())
	if err := c.await(s); err != nil {
		t.Errorf("got %v, want the answer", err)
	}
	if err := c.await(open[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("the request that was given up ended with %v", err)
	}
}
