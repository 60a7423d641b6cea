package ingest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hello = `{"to":{"tokens":["tok-a","tok-b"]},"message":{"notification":{"title":"Hi"}},"priority":"high","ttl":60,` +
		`"labels":{"team":"a"},"collapse_id":"c"}`
	urgent = `{"message":{"data":{"k":"v"}},"priority":"bulk"}`
)

func TestAccept(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-time.Second)
	for _, c := range []struct {
		name string
		sub  ingest.Submission
		want push.Notification // what matters of it; the zero value: refused
	}{
		{
			"a notification",
			ingest.Submission{Tenant: "acme", Body: []byte(hello), TraceParent: trace},
			push.Notification{
				Tenant: "acme", Target: push.Target{Tokens: []push.Token{"tok-a", "tok-b"}}, Message: push.Message(`{"notification":{"title":"Hi"}}`),
				Priority: push.PriorityHigh, Guarantee: push.AtLeastOnce, CollapseID: "c", Labels: map[string]string{"team": "a"}, TTL: time.Minute,
				TraceParent: trace, Progress: push.Progress{Version: 1, State: push.StateAccepted, Sources: 2, Pages: 1},
			},
		},
		{
			"a batch",
			ingest.Submission{Tenant: "acme", Body: []byte(urgent), Batch: true, TraceParent: strings.Repeat("x", 1<<20)},
			push.Notification{
				Tenant: "acme", Message: push.Message(`{"data":{"k":"v"}}`), Priority: push.PriorityBulk, Guarantee: push.AtLeastOnce,
				Progress: push.Progress{Version: 1, State: push.StateUploading},
			},
		},
		{
			"a throttled batch",
			ingest.Submission{Tenant: "acme", Body: []byte(`{"message":{"data":{"k":"v"}},"throttle":{"per_second":50}}`), Batch: true},
			push.Notification{
				Tenant: "acme", Message: push.Message(`{"data":{"k":"v"}}`), Priority: push.PriorityNormal, Guarantee: push.AtLeastOnce, PerSecond: 50,
				Progress: push.Progress{Version: 1, State: push.StateUploading},
			},
		},
		{"a notification without target", ingest.Submission{Tenant: "acme", Body: []byte(urgent)}, push.Notification{}},
		{"a batch with a target", ingest.Submission{Tenant: "acme", Body: []byte(hello), Batch: true}, push.Notification{}},
		{"not JSON", ingest.Submission{Tenant: "acme", Body: []byte(`{"to":`)}, push.Notification{}},
		{"nothing", ingest.Submission{Tenant: "acme"}, push.Notification{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			got, err := r.intake.Accept(t.Context(), c.sub)
			if c.want.Tenant == "" {
				if _, ok := errors.AsType[push.Faults](err); !ok || len(r.recorded()) != 0 || r.counted(t, "belfry_refused_total") != 1 {
					t.Errorf("error %v, %d recorded", err, len(r.recorded()))
				}
				return
			}
			n := got.Notification
			if err != nil || got.Replayed || got.ValidateOnly || n.AcceptedAt.Before(start) || n.ID.IsBatch() != c.sub.Batch || n.Fingerprint == "" {
				t.Fatalf("%+v, %v", got, err)
			}
			if diff := cmp.Diff(n, r.stored(n.ID)); diff != "" {
				t.Errorf("answered and recorded differ:\n%s", diff)
			}
			if c.want.TraceParent == "" { // the submission has none that is usable
				if at, err := telemetry.ParseTraceParent(n.TraceParent); err != nil || at.Sampled() {
					t.Errorf("trace %q, want a new one that nobody has to keep", n.TraceParent)
				}
				c.want.TraceParent = n.TraceParent
			}
			c.want.ID, c.want.AcceptedAt, c.want.Fingerprint = n.ID, n.AcceptedAt, n.Fingerprint
			if diff := cmp.Diff(c.want, n); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r.counted(t, "belfry_accepted_total") != 1 {
				t.Error("not counted")
			}
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	first := ingest.Submission{Tenant: "acme", Key: "k1", Body: []byte(hello)}
	for _, c := range []struct {
		name   string
		second ingest.Submission
		want   string // "replayed", "reused", "new" or "refused"
	}{
		{"the same again", first, "replayed"},
		{"another body", ingest.Submission{Tenant: "acme", Key: "k1", Body: []byte(strings.Replace(hello, "Hi", "Ho", 1))}, "reused"},
		{"a bad body", ingest.Submission{Tenant: "acme", Key: "k1", Body: []byte(`{}`)}, "refused"},
		{"another key", ingest.Submission{Tenant: "acme", Key: "k2", Body: []byte(hello)}, "new"},
		{"another tenant", ingest.Submission{Tenant: "bcme", Key: "k1", Body: []byte(hello)}, "new"},
		{"no key", ingest.Submission{Tenant: "acme", Body: []byte(hello)}, "new"},
		{"a batch", ingest.Submission{Tenant: "acme", Key: "k1", Body: []byte(urgent), Batch: true}, "new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := setup(t)
			a, err := r.intake.Accept(t.Context(), first)
			if err != nil || !a.Notification.Keyed {
				t.Fatal(a, err)
			}
			b, err := r.intake.Accept(t.Context(), c.second)
			got := "new"
			switch {
			case errors.Is(err, ingest.ErrKeyReused):
				got = "reused"
			case err != nil:
				got = "refused"
			case b.Replayed:
				got = "replayed"
				if diff := cmp.Diff(a.Notification, b.Notification); diff != "" {
					t.Errorf("a replay answers something else:\n%s", diff)
				}
			case b.Notification.ID == a.Notification.ID:
				t.Error("the same id twice")
			}
			if got != c.want {
				t.Errorf("%s, want %s (%v)", got, c.want, err)
			}
		})
	}
}

func TestValidateOnly(t *testing.T) {
	t.Parallel()
	r := setup(t)
	body := strings.Replace(hello, `"priority"`, `"validate_only":true,"priority"`, 1)
	got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "k", Body: []byte(body)})
	if err != nil || !got.ValidateOnly || len(r.recorded()) != 0 || r.counted(t, "belfry_accepted_total") != 0 {
		t.Errorf("%+v, %v, %d recorded", got, err, len(r.recorded()))
	}
	sent, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Key: "k", Body: []byte(hello)})
	if err != nil || sent.Replayed {
		t.Errorf("checking used up the key: %+v, %v", sent, err)
	}
}

// TestLedgerAway: without a record there is no acceptance.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.away = true
	if _, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: []byte(hello)}); !errors.Is(err, errAway) {
		t.Errorf("error is %v", err)
	}
	if _, err := r.sweeper.Sweep(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("the sweeper's error is %v", err)
	}
}

// TestApp: an app has to exist. One that went between a request and its repeat does not
// make the repeat faulty.
func TestApp(t *testing.T) {
	t.Parallel()
	r := setup(t)
	body := func(app string) []byte {
		return []byte(`{"app":"` + app + `","to":{"tokens":["tok-a"]},"message":{"data":{"k":"v"}}}`)
	}
	for app, stored := range map[string]string{"shop": "shop", "default": ""} {
		got, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: body(app)})
		if err != nil || got.Notification.App != stored || got.Notification.AppName() != app {
			t.Errorf("%s: stored as %q, %v", app, got.Notification.App, err)
		}
	}
	for _, app := range []string{"shp", "Shop", "-", "a/b"} {
		_, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: body(app)})
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || len(faults) != 1 || faults[0].Pointer != "/app" {
			t.Errorf("%s: %v", app, err)
		}
		if app == "shp" && !strings.Contains(err.Error(), `"shp"`) {
			t.Errorf("%v does not name the app", err)
		}
	}
	_, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "other", Body: body("shop")})
	if _, ok := errors.AsType[push.Faults](err); !ok {
		t.Errorf("another tenant's app: %v", err)
	}
	r.apps.away = true
	if _, err := r.intake.Accept(t.Context(), ingest.Submission{Tenant: "acme", Body: body("shop")}); !errors.Is(err, errAway) {
		t.Errorf("nobody knows the apps: %v", err)
	}
}
