package replay

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// planner is what ingest and fanout need of a backend beside the store.
type planner interface {
	ingest.Recorder
	ingest.Marker
	fanout.Notifications
	fanout.Lines
	fanout.Finder
}

// startIngest serves events and plans what they ask for, until the test ends.
func (h *house) startIngest() {
	h.tb.Helper()
	store, ok := h.store.(planner)
	if !ok {
		h.tb.Fatalf("%T can't be planned with", h.store)
	}
	log, reg := zap.NewNop(), prometheus.NewRegistry()
	metrics := ingest.NewMetrics(reg)
	outbox := ingest.NewOutbox(h.queues[push.QueueNotifications], store, log, metrics)
	events := ingest.NewEvents(ingest.NewIntake(store, outbox, nil, log, metrics, time.Now), tenant, unaudited{}, log)
	planning, err := fanout.New(fanout.Config{
		Notifications: store, Lines: store, Devices: store, Tasks: h.queues[push.QueueNotifications],
		Chunks: map[push.Lane]worker.Sink{push.LaneHigh: h.queues[push.QueueHigh], push.LaneBulk: h.queues[push.QueueBulk]},
		Log:    log, Metrics: fanout.NewMetrics(reg, outcome.NewCounter(reg)), Now: time.Now,
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.tb.Context()))
	var parts sync.WaitGroup
	parts.Go(func() { outbox.Run(ctx) })
	workerMetrics := worker.NewMetrics(reg)
	var stops []func()
	for name, handler := range map[string]worker.Handler{push.QueueEvents: events, push.QueueNotifications: planning} {
		w := worker.New(worker.Config{Name: name, Concurrency: 4, Visibility: 30 * time.Second, Wait: time.Second},
			h.queues[name], h.queues[push.DeadLetterQueue(name)], handler, log, workerMetrics)
		parts.Go(func() { w.Run(ctx) })
		stops = append(stops, w.Drain)
	}
	h.tb.Cleanup(func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
		parts.Wait()
		planning.Close()
	})
}

// An event that waited longer than it may is no bad event: it is recorded, ends
// as expired and is never sent. Its second copy is the same event.
func TestEventsThatComeTooLate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.startIngest()
		body := func(id, at, until string) []byte {
			return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/late","type":%q,"time":%q,"data":{"to":{"tokens":[%q]},`+
				`"message":{"data":{"k":"v"}},"priority":"bulk",%s}}`, id, wire.EventRequested, at, "token-"+id, until)
		}
		now := time.Now().UTC()
		hourAgo, inAnHour := now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)
		events := map[string][]byte{
			"ttl":      body("ttl", hourAgo, `"ttl":"5m"`),
			"deadline": body("deadline", hourAgo, `"expires_at":"`+hourAgo+`"`),
			"good":     body("good", hourAgo, `"ttl":"2h"`),
			"ahead":    body("ahead", inAnHour, `"ttl":"5m"`),
		}
		for range 2 {
			for _, event := range events {
				h.enqueue(push.QueueEvents, event)
			}
		}
		for id := range events {
			e := wire.Event{Source: "/late", ID: id}
			ntf := push.DerivedID(push.PrefixNotification, tenant, e.Key())
			h.recorded(ntf)
			want := push.CodeSent
			if id == "ttl" || id == "deadline" {
				want = push.CodeExpired
			}
			if c := h.counts(ntf); c.ByCode[want] != 1 {
				t.Errorf("%s: ended with %v, want one %s", id, c.ByCode, want)
			}
		}
		h.fcm.mu.Lock()
		if len(h.fcm.accepted) != 2 || h.fcm.accepted["token-good"] != 1 || h.fcm.accepted["token-ahead"] != 1 {
			t.Errorf("sent to %v", h.fcm.accepted)
		}
		h.fcm.mu.Unlock()
		if d := h.drain(); d.Messages != 0 {
			t.Errorf("%d dead letters", d.Messages)
		}
	})
}

// recorded waits until a notification is there.
func (h *house) recorded(id push.ID) {
	h.tb.Helper()
	for {
		if _, err := h.store.Notification(h.tb.Context(), id); err == nil {
			return
		}
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-pause.C:
		case <-h.tb.Context().Done():
			h.tb.Fatalf("%s was not recorded", id)
		}
	}
}
