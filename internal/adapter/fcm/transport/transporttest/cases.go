package transporttest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// limitOfStreams is what stdServer announces.
const limitOfStreams = 20

// stdServer is net/http's own HTTP/2 server, over TLS or in the clear.
func stdServer(t *testing.T, secure bool, h http.Handler) (addr string, tc *tls.Config) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: limitOfStreams}
	if secure {
		srv.EnableHTTP2 = true
		srv.StartTLS()
		pool := x509.NewCertPool()
		pool.AddCert(srv.Certificate())
		tc = &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS13}
	} else {
		srv.Config.Protocols = new(http.Protocols)
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), tc
}

func (s *suite) testAnswers(t *testing.T) {
	t.Helper()
	for _, scheme := range []string{"https", "http"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var conns, seen sync.Map
			addr, tc := stdServer(t, scheme == "https", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conns.Store(r.RemoteAddr, true)
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/projects/p/messages:send" || r.Host != "127.0.0.1" ||
					r.Header.Get("Authorization") != "Bearer one" || r.ContentLength != int64(len(body)) || len(r.Header["Accept-Encoding"]) > 0 {
					http.Error(w, fmt.Sprintf("bad request: %v %v %v", r.Method, r.URL, r.Header), http.StatusTeapot)
					return
				}
				if _, twice := seen.LoadOrStore(string(body), true); twice {
					t.Errorf("a request arrived twice")
				}
				w.Header().Set("Retry-After", "7")
				_, _ = w.Write(body)
			}))
			cl := s.open(t, Options{Addr: addr, TLS: tc, Connections: 3})
			h := header(scheme)
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					var resp transport.Response
					// Up to 60 kB: several frames, and more than a window in sum.
					body := strings.Repeat(strconv.Itoa(i)+";", 1+i*70)
					if err := cl.Do(t.Context(), h, []byte(body), &resp); err != nil || resp.Status != http.StatusOK ||
						string(resp.Body) != body || resp.RetryAfter != "7" || resp.Truncated {
						t.Errorf("request %d: status %d, %d of %d bytes, %v", i, resp.Status, len(resp.Body), len(body), err)
					}
				})
			}
			wg.Wait()
			n := 0
			conns.Range(func(any, any) bool { n++; return true })
			if n != 3 || cl.Connections() != 3 {
				t.Errorf("%d connections used, %d open, want 3", n, cl.Connections())
			}
		})
	}
}

// testLimit checks the lesser of both sides' limits, and that callers beyond it
// wait rather than fail.
func (s *suite) testLimit(t *testing.T) {
	t.Helper()
	for ours, want := range map[int]int32{90: limitOfStreams, 7: 7} {
		t.Run(strconv.Itoa(ours), func(t *testing.T) {
			t.Parallel()
			var now, most atomic.Int32
			release := make(chan struct{})
			addr, _ := stdServer(t, false, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n == want {
					close(release) // full: from here on everybody may go
				}
				<-release
				now.Add(-1)
			}))
			cl := s.open(t, Options{Addr: addr, MaxStreams: ours})
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if resp, err := send(t.Context(), cl); err != nil || resp.Status != http.StatusOK {
						t.Errorf("status %d, %v", resp.Status, err)
					}
				})
			}
			wg.Wait()
			if most.Load() != want {
				t.Errorf("%d requests at once, want %d", most.Load(), want)
			}
		})
	}
}

// testEndings drives the ways in which a request can end, each by one script that
// answers the first request.
func (s *suite) testEndings(t *testing.T) {
	t.Helper()
	headers := func(c *h2test.Conn, id uint32, status int, end bool) {
		_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Block(status), EndHeaders: true, EndStream: end})
	}
	long, longest := strings.Repeat("x", 16<<10), strings.Repeat("x", transport.MaxBody)
	for _, tc := range []struct {
		name      string
		script    func(c *h2test.Conn, id uint32)
		status    int // 0 = an error of kind
		kind      transport.Kind
		body      string
		truncated bool
	}{
		{name: "answer without a body", status: 204, script: func(c *h2test.Conn, id uint32) { headers(c, id, 204, true) }},
		{name: "interim answer, padding", status: 200, body: "abc", script: func(c *h2test.Conn, id uint32) {
			headers(c, id, 103, false)
			headers(c, id, 200, false)
			_ = c.WriteDataPadded(id, false, []byte("a"), make([]byte, 9))
			_ = c.WriteData(id, true, []byte("bc"))
		}},
		{name: "answer of an error", status: 503, body: "no", script: func(c *h2test.Conn, id uint32) { _ = c.Respond(id, 503, "no") }},
		{name: "body beyond the cap", status: 500, body: longest, truncated: true, script: func(c *h2test.Conn, id uint32) {
			headers(c, id, 500, false)
			for range 4 {
				_ = c.WriteData(id, false, []byte(long[:16<<10-1]))
			}
			_ = c.WriteData(id, false, []byte("xxx"))
		}},
		{name: "refused stream", kind: transport.Refused, script: func(c *h2test.Conn, id uint32) {
			_ = c.WriteRSTStream(id, http2.ErrCodeRefusedStream)
		}},
		{
			name: "reset stream", kind: transport.Reset, script: func(c *h2test.Conn, id uint32) { _ = c.WriteRSTStream(id, http2.ErrCodeInternal) },
		},
		// A server may find fault with a request after it has taken it.
		{
			name: "reset for its protocol", kind: transport.Reset,
			script: func(c *h2test.Conn, id uint32) { _ = c.WriteRSTStream(id, http2.ErrCodeProtocol) },
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
		{name: "status missing", kind: transport.Reset, script: func(c *h2test.Conn, id uint32) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Block(200)[:0], EndHeaders: true, EndStream: true})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
				for {
					r, err := c.ReadRequest()
					if err != nil {
						return
					}
					if requests.Add(1) == 1 {
						tc.script(c, r.ID)
					}
				}
			})
			resp, err := send(t.Context(), cl)
			if tc.status == 0 {
				wantKind(t, err, tc.kind)
			} else if err != nil || resp.Status != tc.status || string(resp.Body) != tc.body || resp.Truncated != tc.truncated {
				t.Errorf("got %d, %d bytes, truncated %t, %v; want %d, %d bytes, truncated %t",
					resp.Status, len(resp.Body), resp.Truncated, err, tc.status, len(tc.body), tc.truncated)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests arrived", n)
			}
		})
	}
}
