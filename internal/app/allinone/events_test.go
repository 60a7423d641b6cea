package allinone

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/wire/wiretest"
)

// TestEvents runs a whole Belfry on its sandbox and holds everything that it
// publishes against docs/events.md. What needs a queue that loses messages, and
// replays, are checked by their rooms.
func TestEvents(t *testing.T) {
	t.Parallel()
	api, sim, events := sandbox(t)
	send := func(r client.Request) {
		t.Helper()
		r.Message, r.Labels = json.RawMessage(`{"notification":{"title":"a secret title"}}`), map[string]string{"team": "ä"}
		if _, err := api.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	device := client.Device{Token: "sim-unregistered-1", Platform: "ios", UserID: "u1"}
	if _, err := api.PutDevice(t.Context(), "gone-phone", device); err != nil {
		t.Fatal(err)
	}
	send(client.Request{To: &client.Target{UserIDs: []string{"u1"}}})
	await(t, events, wire.EventOutcome, wire.EventCompleted, wire.EventDeviceQuarantined)

	send(client.Request{To: &client.Target{Tokens: tokens("sim-auth-", 100)}})
	await(t, events, wire.EventHeld)

	order(t, sim+"/_sim/outage", `{"status":0,"seconds":60}`)
	for i := range 10 { // chunks under way at a time: a chunk whose requests fail waits
		send(client.Request{To: &client.Target{Tokens: tokens(fmt.Sprintf("any-%d-", i), 20)}})
	}
	await(t, events, wire.EventBreakerChanged)
}

func tokens(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return all
}

// await reads events, all of which must be good, until one of each type was there.
func await(t *testing.T, events <-chan wire.Event, types ...string) {
	t.Helper()
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(types) > 0 {
		select {
		case e := <-events:
			if err := wiretest.Check(&e); err != nil {
				t.Error(err)
			}
			for _, secret := range []string{"secret", "sim-", "any-"} {
				if bytes.Contains(e.Data, []byte(secret)) {
					t.Errorf("event %s has %q in it", e.Data, secret)
				}
			}
			types = slices.DeleteFunc(types, func(kind string) bool { return kind == e.Type })
		case <-ctx.Done():
			t.Fatalf("no event of %s", types)
		}
	}
}

// sandbox is belfry up --sandbox, until the test ends.
func sandbox(t *testing.T) (api *client.Client, sim string, events <-chan wire.Event) {
	t.Helper()
	return sandboxIn(t, t.TempDir())
}

// sandboxIn is the same on a data directory.
func sandboxIn(t *testing.T, dir string) (api *client.Client, sim string, events <-chan wire.Event) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, told, ended := make(chan Addresses, 1), make(chan wire.Event, 1000), make(chan error, 1)
	cfg := config.Up{
		Sandbox: true, Store: config.Store{Backend: config.BackendEmbedded, Data: dir, Visibility: 30 * time.Second},
		API: config.API{Listen: "127.0.0.1:0"}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		FCM:      config.FCM{Connections: 2, PerSecond: 10_000},
		Delivery: config.Delivery{MaxAttempts: 8, BrakeAfter: 20, RecordUnknownDevices: true},
		Janitor:  config.Janitor{Late: time.Hour}, Stop: config.Stop{Drain: time.Second},
	}
	go func() {
		ended <- Up(ctx, cfg, zap.NewNop(), Hooks{Ready: func(a Addresses) { ready <- a }, Event: func(e wire.Event) { told <- e }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	select {
	case a := <-ready:
		api, err := client.New(a.API, "")
		if err != nil {
			t.Fatal(err)
		}
		return api, a.Sim, told
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return nil, "", nil
	}
}

// order tells the simulator something.
func order(t *testing.T, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s: %s", url, res.Status)
	}
}
