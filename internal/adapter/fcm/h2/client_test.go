package h2_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
)

// stdServer is net/http's own HTTP/2 server, over TLS or in the clear.
func stdServer(t *testing.T, secure bool, h http.Handler) (addr string, tc *tls.Config) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 20}
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

func TestDoAgainstNetHTTP(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			t.Parallel()
			var conns sync.Map
			addr, tc := stdServer(t, secure, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conns.Store(r.RemoteAddr, true)
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/projects/p/messages:send" ||
					r.Header.Get("Authorization") != "Bearer one" || r.ContentLength != int64(len(body)) {
					http.Error(w, fmt.Sprintf("bad request: %v %v %v", r.Method, r.URL, r.Header), http.StatusTeapot)
					return
				}
				w.Header().Set("Retry-After", "7")
				_, _ = w.Write(body)
			}))
			cl := newClient(t, h2.Config{Addr: addr, TLS: tc, Connections: 3})
			header := postHeader()
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					var resp h2.Response
					// Up to 60 kB: several frames, and more than a window in sum.
					body := strings.Repeat(strconv.Itoa(i), 1+i*100)
					if err := cl.Do(t.Context(), header, []byte(body), &resp); err != nil || resp.Status != 200 ||
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

// TestStreamsLimit checks the lesser of both sides' limits, and that callers
// beyond it wait rather than fail.
func TestStreamsLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		ours      int
		most      int32
		newClient func(addr string, tc *tls.Config) h2.Config
	}{
		{name: "peer's 20", ours: 90, most: 20},
		{name: "our 7", ours: 7, most: 7},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var now, most atomic.Int32
			release := make(chan struct{})
			addr, _ := stdServer(t, false, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n == tc.most {
					close(release) // full: from here on everybody may go
				}
				<-release
				now.Add(-1)
			}))
			cl := newClient(t, h2.Config{Addr: addr, MaxStreams: tc.ours})
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if resp, err := do(t.Context(), cl); err != nil || resp.Status != 200 {
						t.Errorf("status %d, %v", resp.Status, err)
					}
				})
			}
			wg.Wait()
			if most.Load() != tc.most {
				t.Errorf("%d requests at once, want %d", most.Load(), tc.most)
			}
		})
	}
}

func TestDialFailures(t *testing.T) {
	t.Parallel()
	secureAddr, good := stdServer(t, true, http.NotFoundHandler())
	plain := listen(t, func(c *h2test.Conn) {
		_, _ = io.WriteString(c.Conn, "HTTP/1.0 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, c.Conn)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedAddr := ln.Addr().String()
	_ = ln.Close()
	http1 := httptest.NewUnstartedServer(http.NotFoundHandler())
	http1.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	http1.StartTLS()
	t.Cleanup(http1.Close)
	http1Roots := good.Clone()
	http1Roots.RootCAs.AddCert(http1.Certificate())
	hangUp := listen(t, func(*h2test.Conn) {})
	wrongFirst := listen(t, func(c *h2test.Conn) {
		_ = c.WritePing(false, [8]byte{})
		drain(c)
	})

	for _, tc := range []struct {
		name string
		cfg  h2.Config
		want h2.Kind
	}{
		{"nobody listens", h2.Config{Addr: closedAddr}, h2.Refused},
		{"name does not resolve", h2.Config{Addr: "fcm.invalid:443", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "fcm.invalid", IsNotFound: true}}
		}}, h2.DNS},
		{"unknown certificate", h2.Config{Addr: secureAddr, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, h2.TLS},
		{"wrong name in the certificate", h2.Config{Addr: secureAddr, TLS: &tls.Config{RootCAs: good.RootCAs, ServerName: "fcm.test", MinVersion: tls.VersionTLS13}}, h2.TLS},
		{"peer speaks HTTP/1 only", h2.Config{Addr: http1.Listener.Addr().String(), TLS: http1Roots}, h2.TLS},
		{"peer does not speak TLS", h2.Config{Addr: plain, TLS: good}, h2.TLS},
		{"peer hangs up", h2.Config{Addr: hangUp}, h2.Refused},
		{"peer hangs up during the handshake", h2.Config{Addr: hangUp, TLS: good}, h2.Refused},
		{"first frame is not SETTINGS", h2.Config{Addr: wrongFirst}, h2.Refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cl := newClient(t, tc.cfg)
			// The failure is known, so this fails at once instead of after 15 s.
			_, err := do(t.Context(), cl)
			wantKind(t, err, tc.want)
			if cl.Down() == nil || cl.Connections() != 0 {
				t.Errorf("down: %v, connections: %d", cl.Down(), cl.Connections())
			}
		})
	}
}

// TestRedial takes the server away and brings it back on the same port.
func TestRedial(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	addr := listen(t, func(c *h2test.Conn) {
		if !down.Load() && c.Handshake() == nil {
			echo(c)
		}
	})
	var conns sync.Map
	changes := make(chan int, 100)
	cl := newClient(t, h2.Config{
		Addr: addr, Connections: 2,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			conns.Store(c, true)
			return c, err
		},
		OnConnections: func(n int) { changes <- n },
	})
	resp, err := do(t.Context(), cl)
	wantOK(t, resp, err, bodyText)

	down.Store(true)
	conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
	for <-changes != 0 {
	}
	_, err = do(t.Context(), cl)
	wantKind(t, err, h2.Refused)

	down.Store(false)
	for <-changes != 2 {
	}
	resp, err = do(t.Context(), cl)
	wantOK(t, resp, err, bodyText)
}

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("waits for requests under way", func(t *testing.T) {
		t.Parallel()
		got, release := make(chan struct{}), make(chan struct{})
		seen := make(chan []string, 1)
		cl := scripted(t, h2.Config{}, func(c *h2test.Conn) {
			r, err := c.ReadRequest()
			if err != nil {
				return
			}
			close(got)
			<-release
			_ = c.Respond(r.ID, 200, "done")
			seen <- drain(c)
		})
		answer := make(chan error, 1)
		go func() {
			resp, err := do(context.Background(), cl)
			if err == nil && string(resp.Body) != "done" {
				err = fmt.Errorf("body %q", resp.Body)
			}
			answer <- err
		}()
		<-got
		closed := make(chan error, 1)
		go func() { closed <- cl.Close(context.Background()) }()
		// New requests are refused from the start of Close.
		for refused := false; !refused; {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			_, err := do(ctx, cl)
			cancel()
			var e *h2.Error
			refused = errors.As(err, &e) && e.Kind == h2.Refused
		}
		close(release)
		if err := <-answer; err != nil {
			t.Errorf("request under way: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
		wantSeen(t, <-seen, "GOAWAY NO_ERROR")
	})
	t.Run("gives up when ctx ends", func(t *testing.T) {
		t.Parallel()
		got := make(chan struct{})
		addr := listen(t, func(c *h2test.Conn) {
			if c.Handshake() != nil {
				return
			}
			if _, err := c.ReadRequest(); err == nil {
				close(got)
			}
			drain(c)
		})
		cl, err := h2.New(t.Context(), h2.Config{Addr: addr, Connections: 1}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() { _, err := do(context.Background(), cl); answer <- err }()
		<-got
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cl.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v, want canceled", err)
		}
		wantKind(t, <-answer, h2.Reset)
	})
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	_, err := h2.New(t.Context(), h2.Config{Addr: "nowhere", Connections: -1, MaxStreams: 1 << 20, Timeout: -time.Second}, zap.NewNop())
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"addr", "connections", "max streams", "durations"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %q", err, want)
		}
	}
}
