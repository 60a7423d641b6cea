// Package sandbox runs everything in the test's own process, as belfry up
// --sandbox does: the API, a dispatcher and the FCM simulator on the embedded
// backend, each on a free port of the loopback interface.
package sandbox

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/config"
)

// Sandbox is a running sandbox.
type Sandbox struct {
	allinone.Addresses

	Store config.Store // where it keeps its data

	stop func() error
}

// Start returns a sandbox that tries each delivery so often and logs to log. It
// ends with the test, which fails if it does not end well.
func Start(tb testing.TB, maxAttempts int, log *zap.Logger) *Sandbox {
	tb.Helper()
	store := config.Store{Backend: config.BackendEmbedded, Data: filepath.Join(tb.TempDir(), "data"), Visibility: 30 * time.Second}
	cfg := config.Up{
		Sandbox: true, Store: store,
		API: config.API{Listen: "127.0.0.1:0"}, FCM: config.FCM{Connections: 1, PerSecond: 1000},
		Delivery: config.Delivery{MaxAttempts: maxAttempts, RecordUnknownDevices: true}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		Stop: config.Stop{Drain: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(tb.Context())
	ready, ended := make(chan allinone.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- allinone.Up(ctx, cfg, log, allinone.Hooks{Ready: func(a allinone.Addresses) { ready <- a }})
		close(ended)
	}()
	s := &Sandbox{Store: store, stop: func() error { cancel(); return <-ended }}
	tb.Cleanup(func() {
		if err := s.stop(); err != nil {
			tb.Errorf("the sandbox ended with %v", err)
		}
	})
	select {
	case s.Addresses = <-ready:
	case err := <-ended:
		tb.Fatalf("the sandbox did not start: %v", err)
	}
	return s
}

// Stop ends the sandbox before the test does, and returns how that went. Stopping
// it again returns nil.
func (s *Sandbox) Stop() error { return s.stop() }
