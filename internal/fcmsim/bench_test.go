//go:build unix

package fcmsim_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// benchBody is a typical message of about 500 bytes around a token of 163 characters, as FCM's are.
func benchBody(n uint64) []byte {
	return fmt.Appendf(nil, `{"message":{"token":"%s%013d","notification":{"title":"Your order is on its way","body":"`+
		`Arrives today between 14:00 and 16:00."},"data":{"belfry_id":"ntf_0198f0c2a1b27cc38e1d2f3a4b5c6d7e"},`+
		`"android":{"priority":"high","notification":{"tag":"ntf_0198f0c2a1b27cc38e1d2f3a4b5c6d7e"}},`+
		`"apns":{"headers":{"apns-collapse-id":"ntf_0198f0c2a1b27cc38e1d2f3a4b5c6d7e"},"payload":{"aps":{}}}}}`,
		strings.Repeat("cXyZ0", 30), n)
}

// BenchmarkServer measures both servers over HTTP/2 on the loopback interface, beside each other. The client writes
// frames that were encoded beforehand, many requests a write, so that most of the processor time is the server's: it is
// reported as cpu-µs/op.
func BenchmarkServer(b *testing.B) {
	slow := fcmsim.Latency{Median: 50 * time.Millisecond, Sigma: 0.3}
	different := func(n uint64) []byte {
		return bytes.ReplaceAll(benchBody(n), []byte("0198f0c2"), fmt.Appendf(nil, "%08x", n))
	}
	for _, bc := range []struct {
		name    string
		body    func(uint64) []byte
		latency fcmsim.Latency
	}{
		{"same_message", benchBody, fcmsim.Latency{}},
		{"same_message_50ms", benchBody, slow},
		{"all_different", different, fcmsim.Latency{}},
	} {
		for _, lean := range []bool{false, true} {
			name := bc.name + "/net_http"
			if lean {
				name = bc.name + "/lean"
			}
			b.Run(name, func(b *testing.B) { benchServer(b, fcmsim.Config{Latency: bc.latency, Lean: lean}, bc.body) })
		}
	}
}

func benchServer(b *testing.B, cfg fcmsim.Config, body func(uint64) []byte) {
	b.Helper()
	const conns, batch = 10, 90
	sim := fcmsimtest.Start(b, cfg)
	clients := make([]*frameClient, conns)
	for i := range clients {
		clients[i] = dialFrames(b, sim.URL())
	}
	sim.Reset() // the warm-up does not count
	var next atomic.Uint64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for _, c := range clients {
		wg.Go(func() {
			for {
				last := min(next.Add(batch), uint64(b.N)+batch)
				first := last - batch
				if first >= uint64(b.N) {
					return
				}
				n := min(batch, uint64(b.N)-first)
				if err := c.send(n, func(i uint64) []byte { return body(first + i) }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	if got := sim.Stats().Accepted; got != uint64(b.N) {
		b.Fatalf("accepted %d of %d", got, b.N)
	}
}

// frameClient is HTTP/2 at its barest.
type frameClient struct {
	conn    net.Conn
	out     bytes.Buffer
	write   *http2.Framer
	read    *http2.Framer
	headers []byte // a header block with every field in the dynamic table
	stream  uint32
}

func dialFrames(tb testing.TB, endpoint string) *frameClient {
	tb.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	c := &frameClient{conn: conn, stream: 1}
	c.write, c.read = http2.NewFramer(&c.out, nil), http2.NewFramer(nil, conn)
	c.out.WriteString(http2.ClientPreface)
	_ = c.write.WriteSettings()
	_ = c.write.WriteSettingsAck()
	_ = c.write.WriteWindowUpdate(0, 1<<30)

	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	encode := func() []byte {
		block.Reset()
		for _, f := range [][2]string{
			{":method", "POST"},
			{":scheme", "http"},
			{":authority", u.Host},
			{":path", "/v1/projects/belfry-sandbox/messages:send"},
			{"content-type", "application/json"},
			{"content-length", strconv.Itoa(len(benchBody(0)))},
		} {
			_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		return bytes.Clone(block.Bytes())
	}
	c.headers = encode() // fills the table, so it must be the first to be sent
	if err := c.send(1, benchBody); err != nil {
		tb.Fatal(err)
	}
	c.headers = encode()
	return c
}

// send sends n requests in one write and waits for all answers.
func (c *frameClient) send(n uint64, body func(uint64) []byte) error {
	for i := range n {
		_ = c.write.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.headers, EndHeaders: true})
		_ = c.write.WriteData(c.stream, true, body(i))
		c.stream += 2
	}
	if _, err := io.Copy(c.conn, &c.out); err != nil {
		return err
	}
	for n > 0 {
		f, err := c.read.ReadFrame()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			if f.StreamEnded() {
				n--
			}
		case *http2.RSTStreamFrame:
			return fmt.Errorf("stream %d: %v", f.StreamID, f.ErrCode)
		case *http2.GoAwayFrame:
			return fmt.Errorf("go away: %v", f.ErrCode)
		}
	}
	return nil
}

// processorTime is what this process has used up.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
