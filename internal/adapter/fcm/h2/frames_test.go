package h2_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// TestEndings drives the ways in which a request can end, each by one script
// that answers the first request.
func TestEndings(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 16<<10)
	headers := func(c *h2test.Conn, id uint32, status int, end bool) {
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Block(status), EndHeaders: true, EndStream: end})
	}
	for _, tc := range []struct {
		name      string
		script    func(c *h2test.Conn, id uint32)
		status    int // 0 = an error of kind
		kind      transport.Kind
		body      string
		truncated bool
		seen      string // a frame that the server must see afterwards
	}{
		{name: "answer without a body", status: 204, script: func(c *h2test.Conn, id uint32) { headers(c, id, 204, true) }},
		{name: "answer in pieces, padded, with trailers", status: 200, body: "abc", script: func(c *h2test.Conn, id uint32) {
			headers(c, id, 103, false)
			headers(c, id, 200, false)
			_ = c.WriteDataPadded(id, false, []byte("a"), make([]byte, 9))
			_ = c.WriteData(id, false, nil)
			_ = c.WriteData(id, false, []byte("bc"))
			c.AllowIllegalWrites = true
			_ = c.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersEndStream, id, nil)
		}},
		{name: "header block in CONTINUATION frames", status: 503, script: func(c *h2test.Conn, id uint32) {
			block := c.Block(503, "retry-after", "9")
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1], EndStream: true})
			_ = c.WriteContinuation(id, false, block[1:3])
			_ = c.WriteContinuation(id, true, block[3:])
		}},
		{name: "unknown frames and priorities are ignored", status: 200, body: "ok", script: func(c *h2test.Conn, id uint32) {
			_ = c.WriteRawFrame(0xfa, 0, 0, []byte("new"))
			_ = c.WritePriority(id, http2.PriorityParam{Weight: 3})
			_ = c.WriteSettings(http2.Setting{ID: 0xfafa, Val: 1})
			_ = c.Respond(id, 200, "ok")
		}},
		{
			name: "body beyond the cap", status: 500, body: strings.Repeat("x", transport.MaxBody), truncated: true,
			seen: "RST_STREAM CANCEL",
			script: func(c *h2test.Conn, id uint32) {
				headers(c, id, 500, false)
				for range 5 {
					_ = c.WriteData(id, false, []byte(long))
				}
			},
		},
		{
			name: "refused stream", kind: transport.Refused,
			script: func(c *h2test.Conn, id uint32) { _ = c.WriteRSTStream(id, http2.ErrCodeRefusedStream) },
		},
		{
			name: "reset stream", kind: transport.Reset, script: func(c *h2test.Conn, id uint32) { _ = c.WriteRSTStream(id, http2.ErrCodeInternal) },
		},
		{name: "reset after the status", status: 200, truncated: true, script: func(c *h2test.Conn, id uint32) {
			headers(c, id, 200, false)
			_ = c.WriteRSTStream(id, http2.ErrCodeInternal)
		}},
		{name: "connection lost", kind: transport.Reset, script: func(c *h2test.Conn, _ uint32) { _ = c.Close() }},
		{name: "connection lost after the status", status: 400, truncated: true, script: func(c *h2test.Conn, id uint32) {
			headers(c, id, 400, false)
			_ = c.Close()
		}},
		{name: "status missing", kind: transport.Reset, seen: "RST_STREAM PROTOCOL_ERROR", script: func(c *h2test.Conn, id uint32) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Block(200)[:0], EndHeaders: true, EndStream: true})
		}},
		{
			name: "status out of range", kind: transport.Reset, seen: "RST_STREAM PROTOCOL_ERROR",
			script: func(c *h2test.Conn, id uint32) { headers(c, id, 99, true) },
		},
		{
			name: "interim status ends the stream", kind: transport.Reset, seen: "RST_STREAM PROTOCOL_ERROR",
			script: func(c *h2test.Conn, id uint32) { headers(c, id, 103, true) },
		},
		{
			name: "body before headers", kind: transport.Reset, seen: "RST_STREAM PROTOCOL_ERROR",
			script: func(c *h2test.Conn, id uint32) { _ = c.WriteData(id, true, []byte("x")) },
		},
		{name: "window update of zero", kind: transport.Reset, seen: "RST_STREAM PROTOCOL_ERROR", script: func(c *h2test.Conn, id uint32) {
			_ = c.WriteRawFrame(http2.FrameWindowUpdate, 0, id, make([]byte, 4))
		}},
		{
			name: "stream window overflows", kind: transport.Reset, seen: "RST_STREAM FLOW_CONTROL_ERROR",
			script: func(c *h2test.Conn, id uint32) { _ = c.WriteWindowUpdate(id, 1<<31-1) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan []string, 1)
			var once sync.Once
			cl := scripted(t, h2.Config{}, func(c *h2test.Conn) {
				r, err := c.ReadRequest()
				if err != nil {
					return
				}
				once.Do(func() {
					tc.script(c, r.ID)
					// Whatever happened to the stream, the connection goes on.
					if tc.seen != "" {
						_ = c.WritePing(false, [8]byte{1})
						seen <- drain(c)
					}
				})
				drain(c)
			})
			resp, err := do(t.Context(), cl)
			if tc.status == 0 {
				wantKind(t, err, tc.kind)
			} else if err != nil || resp.Status != tc.status || string(resp.Body) != tc.body || resp.Truncated != tc.truncated {
				t.Fatalf("got %d, %d bytes, truncated %t, %v; want %d, %d bytes, truncated %t",
					resp.Status, len(resp.Body), resp.Truncated, err, tc.status, len(tc.body), tc.truncated)
			}
			if tc.seen != "" {
				_ = cl.Close(context.Background())
				wantSeen(t, <-seen, tc.seen)
			}
		})
	}
}

// TestBrokenPeer sends what ends a connection: the request under way may have
// been processed, the peer learns why, and the next request goes to a new
// connection.
func TestBrokenPeer(t *testing.T) {
	t.Parallel()
	raw := func(typ http2.FrameType, flags http2.Flags, id uint32, payload ...byte) func(*h2test.Conn) {
		return func(c *h2test.Conn) { _ = c.WriteRawFrame(typ, flags, id, payload) }
	}
	setting := func(id http2.SettingID, val uint32) func(*h2test.Conn) {
		return func(c *h2test.Conn) { _ = c.WriteSettings(http2.Setting{ID: id, Val: val}) }
	}
	for _, tc := range []struct {
		name   string
		script func(*h2test.Conn)
		goAway string
	}{
		{"push promise", raw(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, 0, 0, 0, 2), "PROTOCOL_ERROR"},
		{"headers of a stream that was never opened", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 9, 0x88), "PROTOCOL_ERROR"},
		{"data of a stream that was never opened", raw(http2.FrameData, 0, 9, 1), "PROTOCOL_ERROR"},
		{"data on the connection", raw(http2.FrameData, 0, 0, 1), "PROTOCOL_ERROR"},
		{"window update of a stream that was never opened", raw(http2.FrameWindowUpdate, 0, 8, 0, 0, 0, 1), "PROTOCOL_ERROR"},
		{"continuation out of order", raw(http2.FrameContinuation, 0, 1, 0x88), "PROTOCOL_ERROR"},
		{"header block interrupted", func(c *h2test.Conn) {
			raw(http2.FrameHeaders, 0, 1, 0x88)(c)
			raw(http2.FramePing, 0, 0, make([]byte, 8)...)(c)
		}, "PROTOCOL_ERROR"},
		{"header block never ends", func(c *h2test.Conn) {
			raw(http2.FrameHeaders, 0, 1)(c)
			for range 100 {
				raw(http2.FrameContinuation, 0, 1)(c)
			}
		}, "ENHANCE_YOUR_CALM"},
		{"header block too large", func(c *h2test.Conn) {
			raw(http2.FrameHeaders, 0, 1)(c)
			for range 3 {
				raw(http2.FrameContinuation, 0, 1, make([]byte, 16<<10)...)(c)
			}
		}, ""},
		{
			"header block is no HPACK",
			raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "COMPRESSION_ERROR",
		},
		{"header block is cut", raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, 0x40), "COMPRESSION_ERROR"},
		{"frame too large", raw(http2.FrameData, 0, 1, make([]byte, 17<<10)...), "FRAME_SIZE_ERROR"},
		{"settings of a wrong size", raw(http2.FrameSettings, 0, 0, 1, 2, 3), "FRAME_SIZE_ERROR"},
		{"initial window too large", setting(http2.SettingInitialWindowSize, 1<<31), "FLOW_CONTROL_ERROR"},
		{"frame size out of range", setting(http2.SettingMaxFrameSize, 1), "PROTOCOL_ERROR"},
		{"connection window overflows", func(c *h2test.Conn) { _ = c.WriteWindowUpdate(0, 1<<31-1) }, "FLOW_CONTROL_ERROR"},
		{"stream windows overflow by SETTINGS", func(c *h2test.Conn) {
			_ = c.WriteWindowUpdate(1, 1<<30)
			_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		}, "FLOW_CONTROL_ERROR"},
		{"plain text", func(c *h2test.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan []string, 1)
			first := make(chan struct{}, 1)
			first <- struct{}{}
			cl := scripted(t, h2.Config{}, func(c *h2test.Conn) {
				select {
				case <-first:
				default:
					echo(c)
					return
				}
				if _, err := c.ReadRequest(); err == nil {
					c.AllowIllegalWrites = true
					tc.script(c)
					seen <- drain(c)
				}
			})
			_, err := do(t.Context(), cl)
			wantKind(t, err, transport.Reset)
			if got := <-seen; tc.goAway != "" {
				wantSeen(t, got, "GOAWAY "+tc.goAway)
			}
			for err = errors.New("not yet"); err != nil; {
				var resp transport.Response
				if resp, err = do(t.Context(), cl); err == nil {
					wantOK(t, resp, err, bodyText)
				} else {
					wantKind(t, err, transport.Refused) // between two connections
				}
			}
		})
	}
}

// TestGoAway lets the peer leave while three requests are under way of which it
// has taken two.
func TestGoAway(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	seen := make(chan []string, 1)
	cl := scripted(t, h2.Config{}, func(c *h2test.Conn) {
		select {
		case <-first:
		default:
			echo(c)
			return
		}
		for range 3 {
			if _, err := c.ReadRequest(); err != nil {
				return
			}
		}
		// First the notice, then the verdict (RFC 9113 §6.8).
		_ = c.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil)
		_ = c.WriteGoAway(3, http2.ErrCodeNo, nil)
		<-release
		_ = c.Respond(1, 200, "one")
		_ = c.Respond(3, 200, "three")
		seen <- drain(c)
	})
	results := make(chan string, 3)
	failures := make(chan error, 3)
	for range 3 {
		go func() {
			resp, err := do(t.Context(), cl)
			if err != nil {
				failures <- err
				return
			}
			results <- string(resp.Body)
		}()
	}
	wantKind(t, <-failures, transport.Refused)
	// The others are still open; meanwhile a new connection serves.
	resp, err := do(t.Context(), cl)
	wantOK(t, resp, err, bodyText)
	close(release)
	if a, b := <-results, <-results; a+b != "onethree" && a+b != "threeone" {
		t.Errorf("answers %q and %q", a, b)
	}
	wantSeen(t, <-seen, "GOAWAY NO_ERROR")
}

// TestFlowControl withholds windows of either kind and gives them bit by bit.
func TestFlowControl(t *testing.T) {
	t.Parallel()
	const size = 70_000 // more than the connection's first window of 65,535
	smallWindow := []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 30_000}}
	for _, tc := range []struct {
		name     string
		settings []http2.Setting
		grant    func(c *h2test.Conn, round int)
	}{
		{"connection window", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 20}}, func(c *h2test.Conn, _ int) {
			_ = c.WriteWindowUpdate(0, 1000)
		}},
		{"stream window", []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}, func(c *h2test.Conn, round int) {
			if round == 0 {
				_ = c.WriteWindowUpdate(0, size)
			}
			_ = c.WriteWindowUpdate(1, 7000)
		}},
		{"stream window by SETTINGS, down and up", smallWindow, func(c *h2test.Conn, round int) {
			switch round {
			case 0:
				_ = c.WriteWindowUpdate(0, size)
				_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
			case 1:
				_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: size})
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := h2.Config{}
			cfg.Addr = listen(t, func(c *h2test.Conn) {
				if c.Handshake(tc.settings...) != nil {
					return
				}
				window := map[uint32]int64{0: 65_535, 1: int64(tc.settings[0].Val)}
				got := 0
				for round := 0; ; {
					f, err := c.ReadFrame()
					if err != nil {
						return
					}
					switch f := f.(type) {
					case *http2.PingFrame: // the client is still there: time for more
						tc.grant(c, round)
						round++
						_ = c.WritePing(false, [8]byte{})
					case *http2.DataFrame:
						got += len(f.Data())
						window[0] -= int64(len(f.Data()))
						if f.StreamEnded() {
							_ = c.Respond(1, 200, string(binary.AppendUvarint(nil, uint64(got))))
							drain(c)
							return
						}
					case *http2.HeadersFrame:
						_ = c.WritePing(false, [8]byte{})
					}
				}
			})
			cl := newClient(t, cfg)
			var resp transport.Response
			err := cl.Do(t.Context(), postHeader(), make([]byte, size), &resp)
			got, _ := binary.Uvarint(resp.Body)
			if err != nil || resp.Status != 200 || got != size {
				t.Errorf("status %d, %d of %d bytes arrived, %v", resp.Status, got, size, err)
			}
		})
	}
}

// TestEarlyAnswer answers before the body, which waits for a window, is there.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	seen := make(chan []string, 1)
	addr := listen(t, func(c *h2test.Conn) {
		if c.Handshake(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) != nil {
			return
		}
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := f.(*http2.HeadersFrame); ok {
				_ = c.Respond(h.StreamID, 413, "")
				seen <- drain(c)
				return
			}
		}
	})
	cl := newClient(t, h2.Config{Addr: addr})
	if resp, err := do(t.Context(), cl); err != nil || resp.Status != 413 {
		t.Errorf("status %d, %v", resp.Status, err)
	}
	_ = cl.Close(context.Background())
	wantSeen(t, <-seen, "RST_STREAM NO_ERROR")
}
