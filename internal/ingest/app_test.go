package ingest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
)

// What a request leaves out is what holds for its app; what it says stands.
func TestSettingsOfTheApp(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.apps.shop = access.Settings{TTL: new(int64(60)), Priority: new(push.PriorityBulk), Guarantee: new(push.AtMostOnce)}
	const to = `"to":{"topic":"news"},"message":{"data":{}}`
	for name, c := range map[string]struct {
		body      string
		ttl       time.Duration
		priority  push.Priority
		guarantee push.Guarantee
	}{
		"left out": {`{"app":"shop",` + to + `}`, time.Minute, push.PriorityBulk, push.AtMostOnce},
		"given": {
			`{"app":"shop",` + to + `,"ttl":5,"priority":"normal","delivery_guarantee":"at_least_once"}`, 5 * time.Second,
			push.PriorityNormal, push.AtLeastOnce,
		},
		"a fixed end": {
			`{"app":"shop",` + to + `,"expires_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`, 0,
			push.PriorityBulk, push.AtMostOnce,
		},
		"the default app": {`{` + to + `}`, 0, push.PriorityNormal, push.AtLeastOnce},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: []byte(c.body)})
			n := got.Notification
			if err != nil || n.TTL != c.ttl || n.Priority != c.priority || n.Guarantee != c.guarantee {
				t.Errorf("ttl %s, priority %s, guarantee %s, %v; want %+v", n.TTL, n.Priority, n.Guarantee, err, c)
			}
		})
	}
}

// For how long a notification or a batch is kept is settled when it is accepted, and a change of the setting is for
// what comes after it.
func TestKeepDaysAreSettled(t *testing.T) {
	t.Parallel()
	r := setup(t)
	accept := func(body string, batch bool) push.ID {
		t.Helper()
		got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Batch: batch, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return got.Notification.ID
	}
	kept := map[push.ID]int{}
	for _, c := range []struct{ set, want int64 }{{0, 0}, {7, 7}, {30, 30}, {1, access.LeastKeepDays}} {
		if r.apps.shop = (access.Settings{}); c.set > 0 {
			r.apps.shop = access.Settings{KeepDays: &c.set}
		}
		kept[accept(`{"app":"shop","to":{"topic":"news"},"message":{"data":{}}}`, false)] = int(c.want)
		kept[accept(`{"app":"shop","message":{"data":{}}}`, true)] = int(c.want)
		kept[accept(`{"to":{"topic":"news"},"message":{"data":{}}}`, false)] = 0
	}
	for id, want := range kept {
		if n, err := r.ledger.Notification(t.Context(), id); err != nil || n.Progress.KeepDays != want {
			t.Errorf("%s is kept for %d days, want %d; %v", id, n.Progress.KeepDays, want, err)
		}
	}
}

// A caller that is limited to an app sends for that app only, and learns nothing of what another
// one's callers sent with the same key.
func TestLimitedToAnApp(t *testing.T) {
	t.Parallel()
	r := setup(t)
	const to = `"to":{"topic":"news"},"message":{"data":{}}`
	submit := func(limit, key, body string) (push.Notification, error) {
		got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", App: limit, Key: key, Body: []byte(body)})
		return got.Notification, err
	}
	for name, c := range map[string]struct {
		limit, body, app string
		want             error
	}{
		"gets its app":         {"shop", `{` + to + `}`, "shop", nil},
		"names its app":        {"shop", `{"app":"shop",` + to + `}`, "shop", nil},
		"names another":        {"shop", `{"app":"bank",` + to + `}`, "", ingest.ErrOtherApp},
		"names the default":    {"shop", `{"app":"default",` + to + `}`, "", ingest.ErrOtherApp},
		"limited to default":   {"default", `{` + to + `}`, "", nil},
		"that, and names it":   {"default", `{"app":"default",` + to + `}`, "", nil},
		"that, names another":  {"default", `{"app":"shop",` + to + `}`, "", ingest.ErrOtherApp},
		"not limited, default": {"", `{` + to + `}`, "", nil},
	} {
		if n, err := submit(c.limit, "", c.body); !errors.Is(err, c.want) || n.App != c.app {
			t.Errorf("%s: app %q, %v", name, n.App, err)
		}
	}
	first, err := submit("", "k", `{`+to+`}`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := submit("shop", "k", `{`+to+`}`); !errors.Is(err, ingest.ErrKeyReused) || n.ID != "" {
		t.Errorf("another app's notification %s is shown: %q, %v", first.ID, n.ID, err)
	}
}
