package fcm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"firebase.google.com/go/v4/messaging"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/api/option"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *leanServe {
		serveLean(*leanLatency)
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeFCM is net/http's own HTTP/2 server over TLS.
func fakeFCM(t *testing.T, h http.HandlerFunc) Config {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return Config{
		Endpoint: srv.URL + "/v1", Project: "belfry-test", Connections: 1,
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
	}
}

func newSender(t *testing.T, cfg Config) (*Sender, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	s, err := New(t.Context(), cfg, zap.NewNop(), NewMetrics(reg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s, reg
}

// officialClient is Google's own client on a transport.
func officialClient(t *testing.T, rt http.RoundTripper) *messaging.Client {
	t.Helper()
	cfg := argumentOf(messaging.NewClient)
	cfg.ProjectID = "belfry-test"
	cfg.Opts = []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: rt})}
	client, err := messaging.NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func asError(t *testing.T, err error) *push.Error {
	t.Helper()
	var e *push.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a push.Error", err)
	}
	return e
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return b
}

// templateOf makes a template of a message as it stands.
func templateOf(tb testing.TB, m string) message.Template {
	tb.Helper()
	t, err := message.NewTemplate([]byte(m), 0)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// requestFor is the request body of a message for one address.
func requestFor(tb testing.TB, m string, kind push.Kind, value string) []byte {
	tb.Helper()
	t := templateOf(tb, m)
	return t.Append(nil, string(kind), value, time.Time{}, time.Time{})
}
