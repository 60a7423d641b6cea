package remote

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/fcmsim"
)

// columns is how wide the terminal of these tests is.
const columns = 80

// house is a whole Belfry in this process, with a simulator in Google's place.
type house struct {
	t    *testing.T
	sim  *fcmsim.Sim
	api  string
	keys map[string]string // by who has them; "" has none
}

func serve(t *testing.T) *house {
	t.Helper()
	sim, err := fcmsim.New(fcmsim.Config{Project: "nobody", RequireAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, sim: sim, keys: map[string]string{}}
	cfg := config.Up{
		Store: config.Store{Backend: config.BackendEmbedded, Data: t.TempDir(), Visibility: 30 * time.Second},
		API:   config.API{Listen: "127.0.0.1:0", RequireKey: new(false)}, Seal: config.Seal{Key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		FCM: config.FCM{
			Endpoint: sim.URL(), Connections: 1, PerSecond: 1000, Credentials: clitest.File(t, "own.json", string(sim.ServiceAccountOf("own"))),
		},
		Delivery: config.Delivery{MaxAttempts: 1, BrakeAfter: 20},
		Janitor:  config.Janitor{Late: time.Hour}, Stop: config.Stop{Drain: time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan allinone.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- allinone.Up(ctx, cfg, zap.NewNop(), allinone.Hooks{Ready: func(a allinone.Addresses) { ready <- a }})
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := sim.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		h.api = a.API
	case err := <-ended:
		t.Fatal(err)
	}
	return h
}

// as runs a command line with somebody's key, on a terminal.
func (h *house) as(who string, args ...string) clitest.Result {
	h.t.Helper()
	key, ok := h.keys[who]
	if !ok && who != "" {
		h.t.Fatalf("%s has no key", who)
	}
	return withKey(h.t.Context(), h.api, key, display.Console{Width: columns, Now: time.Now}, args...)
}
