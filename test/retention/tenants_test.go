package retention

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
)

// TestTenantsKeepForDays: what two tenants and an app have set, by way of the settings and the intake, is how long what
// they send afterwards is kept with its pages and lines: a notification, a batch that was sent, and one
// that was abandoned. Nobody else's time changes by it.
func TestTenantsKeepForDays(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	ctx := t.Context()
	clock := func() time.Time { return h.now }
	directory := access.New(h.store, clock).KeepFor(int64(keepNotifications / day))
	set := func(days int64) access.Profile { return access.Profile{Settings: access.Settings{KeepDays: &days}} }
	for name, days := range map[string]int64{"week": 7, "month": 30} {
		_, err := directory.CreateTenant(ctx, access.Tenant{Name: name, Profile: set(days)}, "test")
		h.must(err)
	}
	_, err := directory.CreateApp(ctx, access.App{Tenant: "month", Name: "shop", Profile: set(14)}, "test")
	h.must(err)
	effects, err := access.NewEffects(directory)
	h.must(err)
	defer effects.Close()
	metrics := ingest.NewMetrics(prometheus.NewRegistry())
	intake := ingest.NewIntake(h.store, ingest.NewOutbox(nil, h.store, zap.NewNop(), metrics), effects, zap.NewNop(), metrics, clock)
	accept := func(tenant, app, kind string) push.ID {
		t.Helper()
		body := `{"app":"` + app + `","to":{"topic":"news"},"message":{"data":{}}}`
		if kind != "notification" {
			body = `{"app":"` + app + `","message":{"data":{}}}`
		}
		got, err := intake.Accept(ctx, ingest.Submission{Tenant: tenant, Batch: kind != "notification", Body: []byte(body)})
		h.must(err)
		id := got.Notification.ID
		_, err = h.store.PutPage(ctx, id, push.PageUpload, 0, make([]byte, 1000))
		h.must(err)
		if kind != "abandoned" {
			h.must(h.send(ctx, id, batchSize), h.end(ctx, id, push.StateCompleted))
		}
		return id
	}
	wants := map[push.ID]int{} // days
	for _, kind := range []string{"notification", "batch", "abandoned"} {
		wants[accept("week", "default", kind)] = 7
		wants[accept("month", "default", kind)] = 30
		wants[accept("month", "shop", kind)] = 14
		wants[accept(access.DefaultName, "default", kind)] = int(keepNotifications / day)
	}
	// What was promised stays, whatever is set later.
	_, err = directory.ChangeTenant(ctx, "week", func(t *access.Tenant) error { t.Settings = set(60).Settings; return nil })
	h.must(err)
	h.now = h.now.Add(access.CacheFor + time.Second)
	wants[accept("week", "default", "batch")] = 60
	h.must(h.batch(ctx, h.id(push.PrefixBatch, 0, 0), push.StateCompleted)) // the newest of all stays

	m := retention.NewMetrics(prometheus.NewRegistry())
	room := h.roomOf(m, h.sweeps(h.store, h.store, m))
	began := h.now
	for d := range int(keepNotifications/day) + 2 {
		h.now = began.Add(time.Duration(d)*day + time.Hour)
		h.must(room.Pass(ctx))
		h.now = h.now.Add(time.Hour) // and the rest of what was retired
		h.must(room.Pass(ctx))
		for id, days := range wants {
			_, err := h.store.Notification(ctx, id)
			_, page := h.store.Page(ctx, id, push.PageUpload, 0)
			lines, failed := h.store.Lines(ctx, id, 0, 10)
			h.must(failed)
			gone := errors.Is(err, push.ErrNotFound)
			if gone != (d >= days) || gone && (!errors.Is(page, push.ErrNotFound) || len(lines) > 0) {
				t.Fatalf("day %d: of what is kept for %d days: gone %t, page %v, %d lines", d, days, gone, page, len(lines))
			}
		}
	}
}
