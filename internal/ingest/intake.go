// Package ingest is the first room: it accepts send requests. Both doors, the
// HTTP API and the event queue, end in [Intake.Accept]: validate, deduplicate,
// record, enqueue. The record in the ledger is the acceptance; what a crash or
// an absent queue left un-enqueued, the [Sweeper] sends.
package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// ErrKeyReused says that an idempotency key came again with another request.
var ErrKeyReused = errors.New("the idempotency key was used before, with another request")

// Recorder is the part of the ledger that acceptance needs.
type Recorder interface {
	// Create stores the notification unless its id exists; it returns what is
	// stored now and whether this call stored it.
	Create(ctx context.Context, n push.Notification) (push.Notification, bool, error)
}

// Submission is one request as it came through a door.
type Submission struct {
	Tenant      string
	Key         string // idempotency key, "" for none
	Body        []byte // JSON of the request
	Batch       bool   // a batch: no target, recipients follow by upload
	TraceParent string // W3C, of the request; one that isn't is ignored
}

// Accepted is what became of a submission.
type Accepted struct {
	Notification push.Notification
	Replayed     bool // the key was seen before; this is the first request's notification
	ValidateOnly bool // checked, and nothing recorded
}

// Intake accepts submissions. Safe for concurrent use.
type Intake struct {
	ledger  Recorder
	outbox  *Outbox
	log     *zap.Logger
	metrics *Metrics
	now     func() time.Time
}

// NewIntake returns an intake that records in ledger and enqueues through outbox.
func NewIntake(ledger Recorder, outbox *Outbox, log *zap.Logger, metrics *Metrics, now func() time.Time) *Intake {
	return &Intake{ledger: ledger, outbox: outbox, log: log, metrics: metrics, now: now}
}

// Accept validates, deduplicates, records and enqueues one submission: one
// durable write before it returns. Errors are [push.Faults] for a bad body,
// [ErrKeyReused], or the ledger's own; a queue that is away is no error.
func (in *Intake) Accept(ctx context.Context, s Submission) (Accepted, error) {
	now := in.now().UTC()
	if _, err := telemetry.ParseTraceParent(s.TraceParent); err != nil {
		s.TraceParent = "" // it travels with every chunk, so it must not be anything of any length
	}
	req, err := push.DecodeRequest(s.Body, s.Batch, now)
	if err != nil {
		in.metrics.refused.Inc()
		return Accepted{}, err
	}
	n := notificationOf(&s, &req, now)
	if req.ValidateOnly {
		return Accepted{Notification: n, ValidateOnly: true}, nil
	}
	stored, created, err := in.ledger.Create(ctx, n)
	if err != nil {
		return Accepted{}, fmt.Errorf("record %s: %w", n.ID, err)
	}
	if !created {
		if stored.Tenant != s.Tenant || stored.Fingerprint != n.Fingerprint {
			return Accepted{}, ErrKeyReused
		}
		return Accepted{Notification: stored, Replayed: true}, nil
	}
	in.metrics.accept(&stored)
	if !s.Batch {
		in.outbox.Push(stored)
	}
	return Accepted{Notification: stored}, nil
}

func notificationOf(s *Submission, req *push.Request, now time.Time) push.Notification {
	prefix := push.PrefixNotification
	state, pages := push.StateAccepted, 1
	if s.Batch {
		prefix, state, pages = push.PrefixBatch, push.StateUploading, 0
	}
	id := push.NewID(prefix)
	if s.Key != "" {
		id = push.DerivedID(prefix, s.Tenant, s.Key)
	}
	sum := sha256.Sum256(s.Body)
	return push.Notification{
		ID: id, Tenant: s.Tenant, Target: req.Target, Message: req.Message, Priority: req.Priority, Guarantee: req.Guarantee,
		CollapseID: req.CollapseID, Labels: req.Labels, AcceptedAt: now, TTL: req.TTL, ExpiresAt: req.ExpiresAt, PerSecond: req.PerSecond,
		TraceParent: s.TraceParent, Fingerprint: hex.EncodeToString(sum[:16]), Keyed: s.Key != "",
		Progress: push.Progress{Version: 1, State: state, Sources: int64(req.Target.Count()), Pages: pages},
	}
}

// taskFor returns the queue message that starts a notification.
func taskFor(n *push.Notification) (worker.Outgoing, error) {
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: n.ID, Page: wire.AllPages, TraceParent: n.TraceParent})
	return worker.Outgoing{Body: body, Group: n.Tenant}, err
}
