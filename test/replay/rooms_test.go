package replay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	auditlog "github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// shelf keeps pages in memory: they are not what these tests are about.
type shelf struct {
	mu    sync.Mutex
	pages map[string][]byte
}

func place(id push.ID, kind push.PageKind, n int) string { return fmt.Sprint(id, kind, n) }

func (s *shelf) PutPage(_ context.Context, id push.ID, kind push.PageKind, n int, data []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.pages[place(id, kind, n)]; ok {
		return was, nil
	}
	s.pages[place(id, kind, n)] = data
	return data, nil
}

func (s *shelf) Page(_ context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.pages[place(id, kind, n)]; ok {
		return data, nil
	}
	return nil, push.ErrNotFound
}

// startRooms serves the events and the notifications queue until the test ends.
func (h *house) startRooms() *shelf {
	h.tb.Helper()
	pages := &shelf{pages: map[string][]byte{}}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	f, err := fanout.New(fanout.Config{
		Notifications: h.store, Lines: h.store, Pages: pages, Devices: h.store, Tasks: h.queues[push.QueueNotifications], Chunks: h.lanes(),
		Log: zap.NewNop(), Metrics: fanout.NewMetrics(prometheus.NewRegistry(), outcomes), Now: time.Now,
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	metrics, ingestMetrics := worker.NewMetrics(prometheus.NewRegistry()), ingest.NewMetrics(prometheus.NewRegistry())
	outbox := ingest.NewOutbox(h.queues[push.QueueNotifications], h.store, zap.NewNop(), ingestMetrics)
	intake := ingest.NewIntake(h.store, outbox, nil, zap.NewNop(), ingestMetrics, time.Now)
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.tb.Context()))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		outbox.Run(ctx)
	}()
	stopFanout, stopEvents := h.work(push.QueueNotifications, f, metrics), h.work(push.QueueEvents,
		ingest.NewEvents(intake, tenant, unaudited{}, zap.NewNop()), metrics)
	h.tb.Cleanup(func() {
		stopEvents()
		stopFanout()
		cancel()
		<-sent
		f.Close()
	})
	return pages
}

// peek waits for a message on a queue that nobody works on, and leaves it there.
func (h *house) peek(queue string) worker.Message {
	h.tb.Helper()
	m := h.take(queue)
	if err := h.queues[queue].Extend(h.tb.Context(), []worker.Message{m}, 0); err != nil {
		h.tb.Fatal(err)
	}
	return m
}

func (h *house) take(queue string) worker.Message {
	h.tb.Helper()
	for range 3 {
		msgs, err := h.queues[queue].Receive(h.tb.Context(), 1, worker.MaxWait)
		if err != nil {
			h.tb.Fatal(err)
		}
		if len(msgs) == 1 {
			return msgs[0]
		}
	}
	h.tb.Fatalf("nothing comes on %s", queue)
	return worker.Message{}
}

// move does what SQS's redrive does with a message: the same bytes on another
// queue, under a new id and a new time.
func (h *house) move(from, to string) {
	h.tb.Helper()
	m := h.take(from)
	h.enqueue(to, m.Body)
	h.discard(from, m)
}

func (h *house) discard(queue string, m worker.Message) {
	h.tb.Helper()
	if err := h.queues[queue].Delete(h.tb.Context(), []worker.Message{m}); err != nil {
		h.tb.Fatal(err)
	}
}

// unaudited is no audit log.
type unaudited struct{}

func (unaudited) Ready() error                                 { return nil }
func (unaudited) Record(context.Context, auditlog.Entry) error { return nil }
func (unaudited) Offer(auditlog.Entry)                         {}
