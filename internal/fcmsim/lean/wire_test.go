package lean_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// wire is an HTTP/2 client that shows frames as text, so that tests see what is sent and not what a client makes of it.
type wire struct {
	*http2.Framer
	t       *testing.T
	conn    net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
}

// dialWire connects without TLS, sends the preface and settings, and reads the server's.
func dialWire(t *testing.T, sim *fcmsim.Sim, settings ...http2.Setting) *wire {
	t.Helper()
	u, err := url.Parse(sim.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // a failing test must end
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	w := &wire{Framer: http2.NewFramer(conn, conn), t: t, conn: conn, decoder: hpack.NewDecoder(4096, nil)}
	w.encoder = hpack.NewEncoder(&w.block)
	w.must(w.WriteSettings(settings...))
	w.expect("SETTINGS", "WINDOW_UPDATE 0", "SETTINGS ACK")
	return w
}

func (w *wire) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// headers begins a request.
func (w *wire) headers(stream uint32, end bool, method, path string) {
	w.t.Helper()
	w.block.Reset()
	for _, f := range [][2]string{
		{":method", method}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}, {"content-type", "application/json"},
	} {
		w.must(w.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	w.must(w.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: w.block.Bytes(), EndHeaders: true, EndStream: end,
	}))
}

// post sends a whole send request.
func (w *wire) post(stream uint32, body string) {
	w.t.Helper()
	w.headers(stream, false, "POST", "/v1"+sendPath)
	w.must(w.WriteData(stream, true, []byte(body)))
}

// next reads a frame as text: its type, stream and what matters of it. At the end of the connection it is "EOF".
func (w *wire) next() string {
	w.t.Helper()
	f, err := w.ReadFrame()
	if err != nil {
		return "EOF"
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return "SETTINGS ACK"
		}
		return "SETTINGS"
	case *http2.WindowUpdateFrame:
		return fmt.Sprint("WINDOW_UPDATE ", f.StreamID)
	case *http2.HeadersFrame:
		fields, err := w.decoder.DecodeFull(f.HeaderBlockFragment())
		if err != nil || len(fields) == 0 {
			w.t.Fatalf("header section: %v", err)
		}
		return fmt.Sprintf("HEADERS %d %s", f.StreamID, fields[0].Value)
	case *http2.DataFrame:
		end := ""
		if f.StreamEnded() {
			end = " end"
		}
		return fmt.Sprintf("DATA %d %d%s", f.StreamID, len(f.Data()), end)
	case *http2.RSTStreamFrame:
		return fmt.Sprintf("RST_STREAM %d %v", f.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d %v", f.LastStreamID, f.ErrCode)
	case *http2.PingFrame:
		return fmt.Sprintf("PING %v %s", f.IsAck(), f.Data[:])
	}
	return f.Header().Type.String()
}

// expect reads frames and compares them.
func (w *wire) expect(frames ...string) {
	w.t.Helper()
	for _, want := range frames {
		if got := w.next(); got != want {
			w.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// okSize is the length of the answer to an accepted message.
const okSize = len("{\n  \"name\": \"projects/belfry-sandbox/messages/0:1795262400000000%0123456789abcdef\"\n}\n")

func ok(stream int) []string {
	return []string{fmt.Sprintf("HEADERS %d 200", stream), fmt.Sprintf("DATA %d %d end", stream, okSize)}
}

func TestWireAnswersInOrder(t *testing.T) {
	t.Parallel()
	w := dialWire(t, fcmsimtest.Start(t, fcmsim.Config{Lean: true}))
	w.post(1, toToken("a"))
	w.expect(ok(1)...)
	w.post(3, toToken("sim-drop-1-x"))
	w.post(5, toToken("sim-unregistered-x"))
	w.expect("RST_STREAM 3 INTERNAL_ERROR", "HEADERS 5 404")
	w.next()
	w.must(w.WritePing(false, [8]byte([]byte("01234567"))))
	w.expect("PING true 01234567")
	w.must(w.WriteRawFrame(0xfe, 0, 0, []byte("unknown frames are ignored")))
	w.must(w.WritePriority(7, http2.PriorityParam{StreamDep: 1}))
	w.must(w.WriteRSTStream(3, http2.ErrCodeCancel)) // it is gone already
	w.must(w.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}))
	w.expect("SETTINGS ACK")
	w.decoder.SetAllowedMaxDynamicTableSize(0)
	w.post(9, toToken("a"))
	w.expect(ok(9)...)
}

// TestWireBodyInPieces: headers with a continuation, data in several frames with padding, trailers.
func TestWireBodyInPieces(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true})
	w := dialWire(t, sim)
	w.block.Reset()
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", "/v1" + sendPath},
		{"content-type", "application/json"},
		{"x", strings.Repeat("y", 100)},
	} {
		w.must(w.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	block := bytes.Clone(w.block.Bytes())
	w.must(w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:7]}))
	w.must(w.WriteContinuation(1, true, block[7:]))
	body := toToken("a")
	w.must(w.WriteData(1, false, []byte(body[:5])))
	w.must(w.WriteDataPadded(1, false, []byte(body[5:12]), make([]byte, 100)))
	w.must(w.WriteData(1, false, []byte(body[12:])))
	w.block.Reset()
	w.must(w.encoder.WriteField(hpack.HeaderField{Name: "trailer", Value: "x"}))
	w.must(w.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: w.block.Bytes(), EndHeaders: true, EndStream: true,
	}))
	w.expect(ok(1)...)
	if got := slices.Collect(sim.Accepted()); len(got) != 1 || string(got[0].Body) != body {
		t.Errorf("accepted %+v", got)
	}
}

// TestWireFlowControl: an answer goes out as the client's windows permit, and others are not held up by it.
func TestWireFlowControl(t *testing.T) {
	t.Parallel()
	w := dialWire(t, fcmsimtest.Start(t, fcmsim.Config{Lean: true}), http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	w.post(1, toToken("a"))
	w.expect("HEADERS 1 200", "DATA 1 10")
	w.post(3, toToken("a"))
	w.expect("HEADERS 3 200", "DATA 3 10")
	w.must(w.WriteWindowUpdate(3, 1000))
	w.expect(fmt.Sprintf("DATA 3 %d end", okSize-10))
	w.must(w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 30}))
	got := []string{w.next(), w.next()}
	slices.Sort(got)
	if want := []string{"DATA 1 20", "SETTINGS ACK"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	w.must(w.WriteRSTStream(1, http2.ErrCodeCancel))
	w.post(5, toToken("sim-hang-1-x"))
	w.must(w.WriteWindowUpdate(5, 1<<31-1)) // more than a window may hold
	w.expect("RST_STREAM 5 FLOW_CONTROL_ERROR")
}

func TestWireConnectionWindow(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true})
	w := dialWire(t, sim)
	left := 65_535 // RFC 9113 §6.9.2
	stream := 1
	for ; left > okSize; stream += 2 {
		w.post(uint32(stream), toToken("a"))
		w.expect(ok(stream)...)
		left -= okSize
	}
	w.post(uint32(stream), toToken("sim-unregistered-x")) // a longer answer
	w.expect(fmt.Sprintf("HEADERS %d 404", stream), fmt.Sprintf("DATA %d %d", stream, left))
	w.must(w.WriteWindowUpdate(0, 1<<20))
	if got := w.next(); !strings.HasSuffix(got, " end") {
		t.Errorf("got %q", got)
	}
}

func TestWireRefusesTooManyStreams(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true, MaxStreams: 2})
	w := dialWire(t, sim)
	w.post(1, toToken("sim-hang-1-a"))
	w.post(3, toToken("sim-hang-1-b"))
	w.post(5, toToken("x"))
	w.expect("RST_STREAM 5 REFUSED_STREAM")
	w.must(w.WriteRSTStream(1, http2.ErrCodeCancel))
	w.post(7, toToken("x"))
	w.expect(ok(7)...)
	if st := sim.Stats(); st.Requests != 3 {
		t.Errorf("stats %+v", st)
	}
}

func TestWireTooLargeBodyIsStopped(t *testing.T) {
	t.Parallel()
	w := dialWire(t, fcmsimtest.Start(t, fcmsim.Config{Lean: true}))
	w.headers(1, false, "POST", "/v1"+sendPath)
	for range 1<<20/16_384 + 1 {
		w.must(w.WriteData(1, false, make([]byte, 16_384)))
	}
	w.expect("HEADERS 1 400")
	w.next()
	w.expect("RST_STREAM 1 NO_ERROR")
	w.must(w.WriteData(1, true, nil)) // it was under way
	w.post(3, toToken("a"))
	w.expect(ok(3)...)
}

func TestWireCreditsTheClient(t *testing.T) {
	t.Parallel()
	w := dialWire(t, fcmsimtest.Start(t, fcmsim.Config{Lean: true}))
	body := []byte(toToken(strings.Repeat("t", 16_000)))
	for stream := uint32(1); ; stream += 2 {
		w.headers(stream, false, "POST", "/v1"+sendPath)
		w.must(w.WriteData(stream, true, body))
		if got := w.next(); got == "WINDOW_UPDATE 0" {
			return
		}
		w.next()
		if int(stream)*len(body) > 16<<20 {
			t.Fatal("no credit")
		}
	}
}

func TestWireRefusesBrokenClients(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		send func(*wire)
		want string
	}{
		"even stream": {func(w *wire) { w.headers(2, true, "GET", "/") }, "GOAWAY 0 PROTOCOL_ERROR"},
		"idle stream": {func(w *wire) { w.must(w.WriteData(1, true, nil)) }, "GOAWAY 0 PROTOCOL_ERROR"},
		"push":        {func(w *wire) { w.must(w.WriteRawFrame(http2.FramePushPromise, 4, 1, make([]byte, 8))) }, "GOAWAY 0 PROTOCOL_ERROR"},
		"window":      {func(w *wire) { w.must(w.WriteWindowUpdate(0, 1<<31-1)) }, "GOAWAY 0 FLOW_CONTROL_ERROR"},
		"frame size":  {func(w *wire) { w.must(w.WriteRawFrame(http2.FramePing, 0, 0, nil)) }, "GOAWAY 0 FRAME_SIZE_ERROR"},
		"setting": {
			func(w *wire) { w.must(w.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1})) }, "GOAWAY 0 PROTOCOL_ERROR",
		},
		"compression": {func(w *wire) { w.must(w.WriteRawFrame(http2.FrameHeaders, 4, 1, []byte{0xff, 0xff})) }, "GOAWAY 0 COMPRESSION_ERROR"},
		"large data":  {func(w *wire) { w.must(w.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 20_000))) }, "EOF"},
		"no path":     {func(w *wire) { w.headers(1, true, "GET", "") }, "RST_STREAM 1 PROTOCOL_ERROR"},
		"too many fields": {func(w *wire) {
			w.block.Reset()
			for range 20 { // one byte each on the wire, 80,000 bytes decoded
				w.must(w.encoder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 4000)}))
			}
			w.must(w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: w.block.Bytes(), EndHeaders: true}))
		}, "RST_STREAM 1 ENHANCE_YOUR_CALM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := dialWire(t, fcmsimtest.Start(t, fcmsim.Config{Lean: true}))
			tc.send(w)
			if got := w.next(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWireNeedsThePreface(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true})
	for _, first := range []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "PR"} {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(sim.URL(), "http://"), "/v1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(first)); err != nil {
			t.Fatal(err)
		}
		if len(first) > 3 {
			if got, err := io.ReadAll(conn); err != nil || len(got) != 0 {
				t.Errorf("%q: answered %q, %v", first, got, err)
			}
		}
		_ = conn.Close()
	}
}

// TestWireGoAway: a request under way when the GOAWAY comes is answered, a later one is not begun.
func TestWireGoAway(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true, Latency: fcmsim.Latency{Median: 50 * time.Millisecond}})
	w := dialWire(t, sim)
	w.post(1, toToken("a"))
	w.must(w.WritePing(false, [8]byte{}))
	w.next() // so that the request has arrived
	client := fcmsimtest.Client(t)
	if status, body := call(t, client, sim.AdminURL()+"/goaway", "{}"); status != http.StatusNoContent {
		t.Fatal(body)
	}
	w.expect("GOAWAY 1 NO_ERROR")
	w.post(3, toToken("too late"))
	w.expect(append(ok(1), "EOF")...)
	for range 3 { // clients get new connections meanwhile
		sim.GoAway()
		if status, _ := call(t, client, sim.URL()+sendPath, toToken("t")); status != http.StatusOK {
			t.Errorf("after GOAWAY: %d", status)
		}
	}
	if st := sim.Stats(); st.Accepted != 4 || st.Connections < 3 {
		t.Errorf("stats %+v", st)
	}
}

func TestWireStopEndsHungRequests(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{Lean: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	w := dialWire(t, sim)
	w.post(1, toToken("sim-hang-1-x"))
	w.must(w.WritePing(false, [8]byte{}))
	w.next()
	if err := sim.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	w.expect("GOAWAY 1 NO_ERROR", "RST_STREAM 1 CANCEL", "EOF")
}

// TestLargeAnswerOverHTTP2 streams more than all windows hold.
func TestLargeAnswerOverHTTP2(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Lean: true})
	w := dialWire(t, sim)
	filler := strings.Repeat("x", 3000)
	const n = 400
	for i := range n {
		w.post(uint32(2*i+1), `{"message":{"token":"t","data":{"k":"`+filler+`"}}}`)
		w.expect(ok(2*i + 1)...)
	}
	_, body := call(t, fcmsimtest.Client(t), sim.AdminURL()+"/accepted", "")
	if got := strings.Count(body, filler); got != n || strings.Count(body, "\n") != n {
		t.Errorf("%d of %d messages", got, n)
	}
}
