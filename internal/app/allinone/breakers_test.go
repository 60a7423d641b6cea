package allinone

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/wire"
)

// TestOperatorsHoldBreakers runs a whole Belfry on its sandbox: what an operator opens sends nothing, also after a restart;
// what he closes goes on in an outage that opens a breaker otherwise; and after a reset it decides by itself.
func TestOperatorsHoldBreakers(t *testing.T) { //nolint:tparallel // one goes on where the other ended
	t.Parallel()
	dir := t.TempDir()
	var label, id string
	send := func(t *testing.T, api *client.Client, prefix string) string {
		t.Helper()
		n, err := api.Send(t.Context(), client.Request{
			To: &client.Target{Tokens: tokens(prefix, 20)}, Message: json.RawMessage(`{"notification":{"title":"Hi"}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		return n.ID
	}
	waits := func(t *testing.T, api *client.Client) {
		t.Helper()
		until(t, "it says that it waits for the operator", func(ctx context.Context) bool {
			n, err := api.Notification(ctx, id)
			return err == nil && n.Waiting != nil && n.Waiting.Reason == client.WaitBreaker &&
				strings.HasPrefix(n.Waiting.Text, "breaker opened by ") && strings.HasSuffix(n.Waiting.Text, ": incident 42")
		})
	}
	t.Run("open", func(t *testing.T) { //nolint:paralleltest // as above
		api, sim, events := sandboxIn(t, dir)
		until(t, "a credential is known", func(ctx context.Context) bool {
			all, err := api.Breakers(ctx)
			if err != nil || len(all) != 1 {
				return false
			}
			label = all[0].Credential
			return true
		})
		if _, err := api.OpenBreaker(t.Context(), "no-such", client.BreakerRequest{}); err == nil || !strings.Contains(err.Error(), label) {
			t.Errorf("an unknown one: %v", err)
		}
		b, err := api.OpenBreaker(t.Context(), label, client.BreakerRequest{Reason: "incident 42", For: "1h"})
		if err != nil || b.Override == nil || b.Override.State != "open" || b.Override.Until == nil {
			t.Fatalf("%+v, %v", b, err)
		}
		forced(t, events, "open")
		id = send(t, api, "any-")
		waits(t, api)
		if got := accepted(t.Context(), t, sim); got != 0 {
			t.Errorf("%d requests got through", got)
		}
		s, err := api.Status(t.Context())
		if err != nil || len(s.Credentials) != 1 || s.Credentials[0].Override == nil || !strings.Contains(s.Headline, "is forced open") {
			t.Errorf("%s %+v %v", s.Headline, s.Credentials, err)
		}
	})
	t.Run("restarted", func(t *testing.T) { //nolint:paralleltest // as above
		api, sim, events := sandboxIn(t, dir)
		forced(t, events, "open")
		waits(t, api)
		if got := accepted(t.Context(), t, sim); got != 0 {
			t.Errorf("%d requests got through", got)
		}
		if _, err := api.CloseBreaker(t.Context(), "default/default", client.BreakerRequest{}); err != nil { // by the app that has it
			t.Fatal(err)
		}
		forced(t, events, "closed")
		until(t, "what waited is sent", func(ctx context.Context) bool { return accepted(ctx, t, sim) == 20 })

		order(t, sim+"/_sim/outage", `{"status":0,"seconds":600}`)
		send(t, api, "more-")
		const opensWithin = 2 * time.Second // by itself; see guard.Trip
		failing := time.Now()
		until(t, "it would have opened", func(context.Context) bool { return time.Since(failing) > 2*opensWithin })
		for len(events) > 0 {
			if e := <-events; e.Type == wire.EventBreakerChanged {
				t.Errorf("it changed: %s", e.Data)
			}
		}
		if _, err := api.ResetBreaker(t.Context(), label, client.BreakerRequest{Reason: "it shall open"}); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			send(t, api, "last-"+string(rune('a'+i))+"-")
		}
		until(t, "it opens by itself", func(context.Context) bool {
			c := changeOf(t, events)
			return c.To == "open" && c.By == ""
		})
	})
}

// until waits for a condition.
func until(t *testing.T, what string, is func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("not within a minute: %s", what)
		case <-tick.C:
		}
	}
}

// changeOf returns the next change of a breaker.
func changeOf(t *testing.T, events <-chan wire.Event) (c wire.BreakerChanged) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		select {
		case e := <-events:
			if e.Type != wire.EventBreakerChanged {
				continue
			}
			if err := json.Unmarshal(e.Data, &c); err != nil {
				t.Fatal(err)
			}
			return c
		case <-ctx.Done():
			t.Fatal("no breaker changed within a minute")
		}
	}
}

// forced awaits that the dispatcher follows an operator.
func forced(t *testing.T, events <-chan wire.Event, to string) {
	t.Helper()
	for c := changeOf(t, events); c.By == "" || c.To != to; c = changeOf(t, events) {
	}
}

// accepted is how many requests the simulator took.
func accepted(ctx context.Context, t *testing.T, sim string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sim+"/_sim/stats", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var stats struct {
		Accepted int `json:"accepted"`
	}
	if err := json.NewDecoder(res.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Accepted
}
