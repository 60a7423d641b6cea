// Package fcmsimtest starts FCM simulators for tests. It is apart from fcmsim so that package testing stays out of
// what ships.
package fcmsimtest

import (
	"context"
	"net/http"
	"testing"

	"github.com/belfry-push/belfry/internal/fcmsim"
)

// Start starts a simulator that is stopped, without waiting for anybody, when the test ends.
func Start(tb testing.TB, cfg fcmsim.Config) *fcmsim.Sim {
	tb.Helper()
	s, err := fcmsim.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Stop(ctx) // it reports that it cut off whoever was still connected, which is the point
	})
	return s
}

// Client returns an HTTP client that speaks HTTP/2 without TLS, and closes its connections when the test ends.
func Client(tb testing.TB) *http.Client {
	tb.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
