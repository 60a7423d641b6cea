package transporttest

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
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// testGoAway lets the peer leave while three requests are under way of which it
// has taken two.
func (s *suite) testGoAway(t *testing.T) {
	t.Helper()
	release := make(chan struct{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
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
		_ = c.WriteGoAway(3, http2.ErrCodeNo, nil)
		<-release
		_ = c.Respond(1, 200, "one")
		_ = c.Respond(3, 200, "three")
		drain(c)
	})
	results := make(chan string, 3)
	failures := make(chan error, 3)
	for range 3 {
		go func() {
			resp, err := send(t.Context(), cl)
			if err != nil {
				failures <- err
				return
			}
			results <- string(resp.Body)
		}()
	}
	wantKind(t, <-failures, transport.Refused)
	// The others are still open; meanwhile a new connection serves.
	if resp, err := send(t.Context(), cl); err != nil || string(resp.Body) != bodyText {
		t.Errorf("got %d %q, %v", resp.Status, resp.Body, err)
	}
	close(release)
	if a, b := <-results, <-results; a+b != "onethree" && a+b != "threeone" {
		t.Errorf("answers %q and %q", a, b)
	}
}

func (s *suite) testDialFailures(t *testing.T) {
	t.Helper()
	secureAddr, good := stdServer(t, true, http.NotFoundHandler())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	_ = ln.Close()
	hangUp := listen(t, func(*h2test.Conn) {})
	plain := listen(t, func(c *h2test.Conn) {
		_, _ = io.WriteString(c.Conn, "HTTP/1.0 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, c.Conn)
	})
	http1 := httptest.NewUnstartedServer(http.NotFoundHandler())
	http1.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	http1.StartTLS()
	t.Cleanup(http1.Close)
	http1Roots := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "example.com", MinVersion: tls.VersionTLS12}
	http1Roots.RootCAs.AddCert(http1.Certificate())
	for _, tc := range []struct {
		name string
		addr string
		tls  *tls.Config
		want transport.Kind
	}{
		{"nobody listens", closed, nil, transport.Refused},
		{"unknown certificate", secureAddr, &tls.Config{MinVersion: tls.VersionTLS13}, transport.TLS},
		{
			"wrong name in the certificate", secureAddr, &tls.Config{RootCAs: good.RootCAs, ServerName: "fcm.test", MinVersion: tls.VersionTLS13},
			transport.TLS,
		},
		{"peer speaks HTTP/1 only", http1.Listener.Addr().String(), http1Roots, transport.TLS},
		{"peer does not speak TLS", plain, good, transport.TLS},
		{"peer hangs up during the handshake", hangUp, good, transport.Refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cl := s.open(t, Options{Addr: tc.addr, TLS: tc.tls})
			scheme := "http"
			if tc.tls != nil {
				scheme = "https"
			}
			var resp transport.Response
			wantKind(t, cl.Do(t.Context(), header(scheme), []byte(bodyText), &resp), tc.want)
		})
	}
}

func (s *suite) testClose(t *testing.T) {
	t.Helper()
	t.Run("waits for requests under way", func(t *testing.T) {
		t.Parallel()
		got, release := make(chan struct{}), make(chan struct{})
		cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
			r, err := c.ReadRequest()
			if err != nil {
				return
			}
			close(got)
			<-release
			_ = c.Respond(r.ID, 200, "done")
			drain(c)
		})
		answer := make(chan error, 1)
		go func() {
			resp, err := send(context.Background(), cl)
			if err == nil && string(resp.Body) != "done" {
				err = fmt.Errorf("body %q", resp.Body)
			}
			answer <- err
		}()
		<-got
		closed := make(chan error, 1)
		go func() { closed <- cl.Close(context.Background()) }()
		for refused := false; !refused; { // new requests are refused from the start of Close
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			_, err := send(ctx, cl)
			cancel()
			e, ok := errors.AsType[*transport.Error](err)
			refused = ok && e.Kind == transport.Refused
		}
		close(release)
		if err := <-answer; err != nil {
			t.Errorf("request under way: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Run("gives up when ctx ends", func(t *testing.T) {
		t.Parallel()
		got := make(chan struct{})
		cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
			if _, err := c.ReadRequest(); err == nil {
				close(got)
			}
			drain(c)
		})
		answer := make(chan error, 1)
		go func() { _, err := send(context.Background(), cl); answer <- err }()
		<-got
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cl.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("close: %v, want canceled", err)
		}
		wantKind(t, <-answer, transport.Reset)
	})
}
