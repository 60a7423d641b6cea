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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// secureServer is net/http's own HTTP/2 server over TLS.
func secureServer(t *testing.T) (addr string, tc *tls.Config) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return srv.Listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS13}
}

func TestDialFailures(t *testing.T) {
	t.Parallel()
	secureAddr, good := secureServer(t)
	plain := listen(t, func(c *h2test.Conn) {
		_, _ = io.WriteString(c.Conn, "HTTP/1.0 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, c.Conn)
	})
	const closedAddr = "127.0.0.1:1" // a port that was free a moment ago may be another test's
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
		want transport.Kind
	}{
		{"nobody listens", h2.Config{Addr: closedAddr}, transport.Refused},
		{"name does not resolve", h2.Config{Addr: "fcm.invalid:443", Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "fcm.invalid", IsNotFound: true}}
		}}, transport.DNS},
		{"unknown certificate", h2.Config{Addr: secureAddr, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}, transport.TLS},
		{
			"wrong name in the certificate",
			h2.Config{Addr: secureAddr, TLS: &tls.Config{RootCAs: good.RootCAs, ServerName: "fcm.test", MinVersion: tls.VersionTLS13}},
			transport.TLS,
		},
		{"peer speaks HTTP/1 only", h2.Config{Addr: http1.Listener.Addr().String(), TLS: http1Roots}, transport.TLS},
		{"peer does not speak TLS", h2.Config{Addr: plain, TLS: good}, transport.TLS},
		{"peer hangs up", h2.Config{Addr: hangUp}, transport.Refused},
		{"peer hangs up during the handshake", h2.Config{Addr: hangUp, TLS: good}, transport.Refused},
		{"first frame is not SETTINGS", h2.Config{Addr: wrongFirst}, transport.Refused},
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
	wantKind(t, err, transport.Refused)

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
			var e *transport.Error
			refused = errors.As(err, &e) && e.Kind == transport.Refused
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
		wantKind(t, <-answer, transport.Reset)
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
