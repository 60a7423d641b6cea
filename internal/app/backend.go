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
	"github.com/belfry-push/belfry/internal/audit"
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
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/usage"
	"github.com/belfry-push/belfry/internal/worker"
)

// Store is every storage port of every room: one backend drives them all.
type Store interface {
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
	audit.Store
	privacy.Notifications
	privacy.Chunks
	replay.Letters
	replay.Lines
	usage.Ledger
	retention.Ledger
	retention.LetterStore
}

// Queue is a queue that tells its depth.
type Queue interface {
	worker.Queue
	worker.Gauge
}

// Backend is the storage and the queues of a running service.
type Backend struct {
	Store  Store
	Queues map[string]Queue // source queues and, by their names, dead-letter queues
	Events outcome.Publisher
	// Visibility is how long a received message stays invisible without a
	// heartbeat, which comes at a third of it.
	Visibility time.Duration
	Kept       time.Duration   // how long the store keeps notifications by itself; 0: until they are removed
	Embedded   *Embedded       // nil on AWS
	Bus        *Bus            // subscribers in this process
	Meter      *awsmeter.Meter // aws: what calls cost
	Pulses     Pulses
	Disk       func() *status.Disk // of the data directory; nil on AWS
	Close      func(ctx context.Context) error
}

// Embedded is what of a data directory retention needs beside the ports of all backends. On AWS, the
// bucket's lifecycle rule does that part for pages, and nobody can look into a dead-letter queue.
type Embedded struct {
	Store *sqlite.Store
	Dead  []Peeked // dead-letter queues
}

// Peeked is a queue that can be looked into without receiving.
type Peeked interface {
	Peek(ctx context.Context, limit int, visit func(body []byte)) (int, error)
}

// Open opens a backend; drivers that count register with reg.
type Open func(ctx context.Context, reg prometheus.Registerer) (*Backend, error)

// Opener returns the function that opens the chosen backend.
func Opener(c config.Store, log *zap.Logger) Open {
	return func(ctx context.Context, reg prometheus.Registerer) (*Backend, error) {
		if c.Backend == config.BackendAWS {
			return openAWS(ctx, c, log, reg)
		}
		return openEmbedded(ctx, c, log, reg)
	}
}

// openEmbedded opens a data directory.
func openEmbedded(ctx context.Context, c config.Store, log *zap.Logger, reg prometheus.Registerer) (*Backend, error) {
	b, err := sqlite.Open(ctx, c.Data, log)
	if err != nil {
		return nil, err
	}
	out := &Backend{
		Store: b.Store(), Queues: map[string]Queue{}, Bus: NewBus(), Close: func(context.Context) error { return b.Close() },
		Visibility: c.Visibility, Embedded: &Embedded{Store: b.Store()},
	}
	out.Events, out.Disk = out.Bus, diskOf(b)
	if err := errors.Join(registerDisk(reg, c.Data), b.Register(reg)); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if err := reportRestored(ctx, b, c.Data, c.AuditKey, log); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	out.Pulses = Pulses{
		Ledger: b.PulseLedger, Pages: b.PulsePages, Queues: func(ctx context.Context, _ ...string) error { return b.PulseQueues(ctx) },
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
			out.Queues[q.name] = opened
			if q.name == dlq {
				out.Embedded.Dead = append(out.Embedded.Dead, opened)
			}
		}
	}
	return out, nil
}
