package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/worker"
)

// store is every storage port of every room: one backend drives them all.
type store interface {
	ingest.Recorder
	ingest.Marker
	ingest.Backlog
	janitor.Ledger
	fanout.Notifications
	fanout.Lines
	deliver.Lines
	device.Store
	batch.Pages
	idempotency.Store
	document.Store
	report.Notifications
	report.Chunks
	letters.Store
	replay.Letters
	replay.Lines
}

// queue is a queue that tells its depth.
type queue interface {
	worker.Queue
	worker.Gauge
}

// backend is the storage and the queues of a running service.
type backend struct {
	store  store
	queues map[string]queue // source queues and, by their names, dead-letter queues
	events outcome.Publisher
	// visibility is how long a received message stays invisible without a
	// heartbeat, which comes at a third of it.
	visibility time.Duration
	bus        *Bus            // subscribers in this process
	meter      *awsmeter.Meter // aws: what calls cost
	pulses     pulses
	close      func(ctx context.Context) error
}

// openFunc opens a backend; drivers that count register with reg.
type openFunc func(ctx context.Context, reg prometheus.Registerer) (*backend, error)

// opener returns the function that opens the chosen backend.
func opener(c config.Store, log *zap.Logger) openFunc {
	return func(ctx context.Context, reg prometheus.Registerer) (*backend, error) {
		if c.Backend == config.BackendAWS {
			return openAWS(ctx, c, log, reg)
		}
		return openEmbedded(ctx, c, log)
	}
}

// openEmbedded opens a data directory.
func openEmbedded(ctx context.Context, c config.Store, log *zap.Logger) (*backend, error) {
	b, err := sqlite.Open(ctx, c.Data, log)
	if err != nil {
		return nil, err
	}
	out := &backend{
		store: b.Store(), queues: map[string]queue{}, bus: NewBus(), close: func(context.Context) error { return b.Close() },
		visibility: c.Visibility,
	}
	out.events = out.bus
	if err := reportRestored(ctx, b, log); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	out.pulses = pulses{
		ledger: b.PulseLedger, pages: b.PulsePages, queues: func(ctx context.Context, _ ...string) error { return b.PulseQueues(ctx) },
	}
	for _, name := range push.Queues() {
		dlq := push.DeadLetterQueue(name)
		for _, q := range []struct {
			name string
			cfg  sqlite.QueueConfig
		}{
			{dlq, sqlite.QueueConfig{Visibility: c.Visibility}},
			{name, sqlite.QueueConfig{Visibility: c.Visibility, MaxReceives: push.MaxReceives, DeadLetterQueue: dlq}},
		} {
			opened, err := b.Queue(ctx, q.name, q.cfg)
			if err != nil {
				_ = b.Close()
				return nil, fmt.Errorf("open queue: %w", err)
			}
			out.queues[q.name] = opened
		}
	}
	return out, nil
}
