package fcmsim_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// rawClient is an HTTP/2 connection in the clear whose frames a test reads one by one. The server's own are net/http's
// affair; what the simulator promises shows in which of them come, and on what.
type rawClient struct {
	*http2.Framer
	t    *testing.T
	conn net.Conn
	next uint32
	most uint32 // the server's SETTINGS_MAX_CONCURRENT_STREAMS
}

func dialRaw(t *testing.T, sim *fcmsim.Sim) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(sim.URL(), "http://"), "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // a failing test must end
		t.Fatal(err)
	}
	c := &rawClient{Framer: http2.NewFramer(conn, conn), t: t, conn: conn, next: 1}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	f, err := c.ReadFrame()
	settings, ok := f.(*http2.SettingsFrame)
	if err != nil || !ok {
		t.Fatalf("first frame: %v, %v", f, err)
	}
	c.most, _ = settings.Value(http2.SettingMaxConcurrentStreams)
	if err := c.WriteSettingsAck(); err != nil {
		t.Fatal(err)
	}
	return c
}

// send sends a message to a token and returns the stream.
func (c *rawClient) send(token string) uint32 {
	c.t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":authority", "localhost"},
		{":path", "/v1" + sendPath},
		{"content-type", "application/json"},
	} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	id := c.next
	c.next += 2
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
	if err == nil {
		err = c.WriteData(id, true, []byte(toToken(token)))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// ended reads on until a stream has ended, or until anything of type T came, and returns that.
func ended[T http2.Frame](c *rawClient) T {
	c.t.Helper()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			c.t.Fatal(err)
		}
		if want, ok := f.(T); ok {
			return want
		}
	}
}

// gone reads until the server has closed the connection.
func (c *rawClient) gone() {
	c.t.Helper()
	for {
		if _, err := c.ReadFrame(); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				c.t.Errorf("connection ended with %v", err)
			}
			return
		}
	}
}

// TestGoAway: a request under way is answered, an idle connection is told as well, both are closed, and whoever connects
// meanwhile is served as if nothing had happened.
func TestGoAway(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{Latency: fcmsim.Latency{Median: 100 * time.Millisecond}})
	idle, busy := dialRaw(t, sim), dialRaw(t, sim)
	idle.send("first")
	for !ended[*http2.DataFrame](idle).StreamEnded() {
	}
	id := busy.send("under way")
	for sim.Stats().Accepted < 2 {
		<-time.NewTimer(time.Millisecond).C
	}
	sim.GoAway()
	for name, c := range map[string]*rawClient{"idle": idle, "busy": busy} {
		if f := ended[*http2.GoAwayFrame](c); f.ErrCode != http2.ErrCodeNo || f.LastStreamID != 1 {
			t.Errorf("%s: GOAWAY %v %v", name, f.LastStreamID, f.ErrCode)
		}
	}
	busy.send("too late") // it has crossed the GOAWAY
	if f := ended[*http2.HeadersFrame](busy); f.StreamID != id {
		t.Errorf("answer on stream %d, want %d", f.StreamID, id)
	}
	client := fcmsimtest.Client(t)
	for range 3 {
		sim.GoAway()
		if a := post(t, client, sim.URL()+sendPath, toToken("t")); a.status != http.StatusOK {
			t.Errorf("after GOAWAY: %d", a.status)
		}
	}
	idle.gone()
	busy.gone()
	if st := sim.Stats(); st.Accepted != 5 || st.Connections < 4 {
		t.Errorf("stats %+v", st)
	}
}

// TestGoAwayLosesNothing: over every protocol, clients that heed GOAWAY get all their answers while it rains goodbyes.
func TestGoAwayLosesNothing(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{ListenTLS: "127.0.0.1:0", Latency: fcmsim.Latency{Median: time.Millisecond, Sigma: 1}})
	all := clients(t, sim)
	delete(all, "HTTP/1.1") // there a server that closes an idle connection may cross a request
	var senders sync.WaitGroup
	done := make(chan struct{})
	for name, c := range all {
		for range 8 {
			senders.Go(func() {
				for range 100 {
					if a, err := tryPost(t, c.client, c.url+sendPath, toToken("t")); err != nil || a.status != http.StatusOK {
						t.Errorf("%s: %d %v", name, a.status, err)
					}
				}
			})
		}
	}
	go func() { senders.Wait(); close(done) }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-tick.C:
			sim.GoAway()
			continue
		case <-done:
			tick.Stop()
		}
		break
	}
	if st := sim.Stats(); st.Accepted != 1600 || st.Connections < 4 {
		t.Errorf("stats %+v", st)
	}
}

// TestMaxStreams: clients are told how many requests they may have at a time.
func TestMaxStreams(t *testing.T) {
	t.Parallel()
	for given, want := range map[int]uint32{0: 100, 7: 7} {
		if got := dialRaw(t, fcmsimtest.Start(t, fcmsim.Config{MaxStreams: given})).most; got != want {
			t.Errorf("%d: announced %d, want %d", given, got, want)
		}
	}
}

// TestDroppedStream: the stream ends, the connection does not.
func TestDroppedStream(t *testing.T) {
	t.Parallel()
	c := dialRaw(t, fcmsimtest.Start(t, fcmsim.Config{}))
	id := c.send("sim-drop-1-x")
	if f := ended[*http2.RSTStreamFrame](c); f.StreamID != id || f.ErrCode != http2.ErrCodeInternal {
		t.Errorf("RST_STREAM %d %v", f.StreamID, f.ErrCode)
	}
	id = c.send("sim-drop-1-x")
	if f := ended[*http2.HeadersFrame](c); f.StreamID != id {
		t.Errorf("answer on stream %d", f.StreamID)
	}
}

// TestRefusedConnection: an outage that refuses ends the connection with a reset, and every request on it.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	c := dialRaw(t, sim)
	c.send("sim-hang-1-x")
	for sim.Stats().ByCode["HANG"] == 0 {
		<-time.NewTimer(time.Millisecond).C
	}
	if err := sim.Outage(fcmsim.Outage{Share: 1}); err != nil {
		t.Fatal(err)
	}
	c.send("t")
	for {
		if _, err := c.ReadFrame(); err != nil {
			if errors.Is(err, io.EOF) {
				t.Errorf("closed politely: %v", err)
			}
			return
		}
	}
}

func TestStopEndsHungRequests(t *testing.T) {
	t.Parallel()
	sim, err := fcmsim.New(fcmsim.Config{ListenTLS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	var hung sync.WaitGroup
	all := clients(t, sim)
	for name, c := range all {
		hung.Go(func() {
			if a, err := tryPost(t, c.client, c.url+sendPath, toToken("sim-hang-9-x")); err == nil {
				t.Errorf("%s: answered %d", name, a.status)
			}
		})
	}
	for sim.Stats().ByCode["HANG"] < uint64(len(all)) {
		<-time.NewTimer(time.Millisecond).C
	}
	start := time.Now()
	if err := sim.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	hung.Wait()
	if took := time.Since(start); took > time.Minute { // they hang until something ends them
		t.Errorf("took %v", took)
	}
}

// TestLargeAnswer streams more than all windows hold.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{})
	client := fcmsimtest.Client(t)
	filler := strings.Repeat("x", 3000)
	const n = 400
	for range n {
		post(t, client, sim.URL()+sendPath, `{"message":{"token":"t","data":{"k":"`+filler+`"}}}`)
	}
	a := get(t, client, sim.AdminURL()+"/accepted")
	if got := strings.Count(a.body, filler); got != n || strings.Count(a.body, "\n") != n {
		t.Errorf("%d of %d messages", got, n)
	}
}
