package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/wire"
)

// AuditLog is the audit log of an open backend.
type AuditLog struct {
	*journal.Journal

	keys    *audit.Keyring
	store   audit.Store
	log     *zap.Logger
	metrics *journal.Metrics
	reader  *journal.Reader
	tail    *tail.Source // nil: nobody can follow
}

// auditGrace is how long a stop waits for entries that are not stored.
const auditGrace = 10 * time.Second

// OpenAudit opens the audit log with the keys of a setting, which the store keeps without one,
// and closes it with the stack. What records must be stopped before: it is started later.
func OpenAudit(ctx context.Context, b *Backend, setting config.Secret, reg prometheus.Registerer, log *zap.Logger,
	stack *Stack,
) (*AuditLog, error) {
	keys, err := journal.LoadKeys(ctx, setting.Reveal(), b.Store, time.Now())
	if err != nil {
		return nil, err
	}
	metrics := journal.NewMetrics(reg)
	j := journal.New(journal.Config{Store: b.Store, Keys: keys, Log: log, Metrics: metrics})
	stack.OnStop("audit log", auditGrace, j.Close)
	log.Info("audit log is open", zap.Stringer("public_key", keys))
	return &AuditLog{Journal: j, keys: keys, store: b.Store, log: log, metrics: metrics, reader: journal.NewReader(b.Store)}, nil
}

// Trimmer removes entries that are older than keep.
func (a *AuditLog) Trimmer(keep time.Duration) *journal.Trimmer {
	return &journal.Trimmer{Store: a.store, Keys: a.keys, Keep: keep, Log: a.log, Metrics: a.metrics}
}

// Routes is what the API shows the log with.
func (a *AuditLog) Routes() httpapi.AuditLog {
	return httpapi.AuditLog{Entries: a.reader, Public: a.keys.Public()}
}

// Follow has whoever follows what happens told of entries.
func (a *AuditLog) Follow(t *tail.Source) { a.tail = t }

// Record implements [door.Auditor].
func (a *AuditLog) Record(ctx context.Context, e audit.Entry) error {
	err := a.Journal.Record(ctx, e)
	if err == nil {
		a.tell(&e)
	}
	return err
}

// Offer implements [door.Auditor].
func (a *AuditLog) Offer(e audit.Entry) {
	a.Journal.Offer(e)
	a.tell(&e)
}

func (a *AuditLog) tell(e *audit.Entry) {
	if a.tail != nil {
		tellAudited(a.tail, e)
	}
}

// tellAudited tells whoever follows what happens of an entry.
func tellAudited(t *tail.Source, e *audit.Entry) {
	if !t.Listening() {
		return
	}
	subject := e.Tenant
	if e.Target.ID != "" {
		subject = e.Target.ID
	}
	t.Tell(subject, "", wire.Audited{
		Action: e.Action, Code: e.Code, Kind: string(e.Kind), RequestID: e.Call, Status: e.Status, TargetID: e.Target.ID,
		TargetKind: e.Target.Kind, Tenant: e.Tenant, Who: e.Who.Name,
	})
}

// Before has what is accepted stored in one transaction with its entry, on a backend that can: on AWS two conditional writes
// in one transaction cost twice as much as apart, and entries of many calls are one write there.
func (a *AuditLog) Before(b *Backend, in *ingest.Intake) {
	if b.Embedded != nil {
		in.Before(&witness{b.Embedded.Store, a})
	}
}

// witness is the data directory with the journal that seals for it.
type witness struct {
	store *sqlite.Store
	log   *AuditLog
}

// CreateRecorded implements [ingest.Witness].
func (w *witness) CreateRecorded(ctx context.Context, n push.Notification, e audit.Entry) (push.Notification, bool, error) {
	stored, created, err := w.store.CreateRecorded(ctx, n, w.log.Journal, e)
	if err == nil && created {
		w.log.tell(&e)
	}
	return stored, created, err
}
