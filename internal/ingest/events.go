package ingest

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Events is the second door: it handles messages of the events queue, which
// are CloudEvents, raw or wrapped by SNS. Source and id are the idempotency key.
type Events struct {
	intake *Intake
	tenant string
	audit  Auditor
	log    *zap.Logger
	tracer *trace.Tracer
}

// Auditor is the audit log. Safe for concurrent use.
type Auditor interface {
	// Ready returns why nothing can be recorded, or nil.
	Ready() error
	// Record returns when the entry is durable.
	Record(ctx context.Context, e audit.Entry) error
	// Offer records an entry for which nobody waits.
	Offer(e audit.Entry)
}

// NewEvents returns the handler; everything it accepts belongs to tenant, and is in the audit log before the queue is told.
func NewEvents(intake *Intake, tenant string, record Auditor, log *zap.Logger) *Events {
	return &Events{intake: intake, tenant: tenant, audit: record, log: log}
}

// Traced has the work on events told as spans. It is called before the first Handle.
func (e *Events) Traced(t *trace.Tracer) *Events {
	e.tracer = t
	return e
}

// Handle implements worker.Handler. An event that can never be accepted goes to the
// dead-letter queue with all its faults; a ledger that is away is waited for.
func (e *Events) Handle(ctx context.Context, msg worker.Message, _ <-chan struct{}) worker.Verdict {
	w, err := wire.Unwrap(msg.Body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	event, err := wire.DecodeEvent(w.Event)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	event.TraceParent = cmp.Or(event.TraceParent, w.TraceParent, msg.TraceParent)
	if e.tracer == nil {
		return e.accept(ctx, &msg, &w, &event)
	}
	span := e.tracer.Continue(trace.Consumer, trace.OpProcess+" "+push.QueueEvents, event.TraceParent)
	event.TraceParent = span.TraceParent("")
	v := e.accept(ctx, &msg, &w, &event)
	if v.Code() != push.CodeOpen {
		span.Fail(v.Code().String())
	}
	if span.Kept() {
		span.Set(trace.Process(push.QueueEvents)...)
		span.Set(trace.Text(trace.KeyTenant, e.tenant), trace.Text(trace.KeyMessageID, msg.ID), trace.Text(trace.KeyVerdict, v.String()),
			trace.Number(trace.KeyReceives, int64(msg.Receives)))
	}
	span.End()
	return v
}

func (e *Events) accept(ctx context.Context, msg *worker.Message, w *wire.Wrapped, event *wire.Event) worker.Verdict {
	happened := e.happened(event, w, msg)
	if err := e.audit.Ready(); err != nil { // nothing is done that could not be recorded
		return e.later(msg, w, event, happened, err)
	}
	got, err := e.intake.Accept(ctx, Submission{
		Tenant: e.tenant, Key: event.Key(), Body: event.Data, TraceParent: event.TraceParent, Sender: event.Source, Happened: happened,
		Entry: func(id push.ID) audit.Entry {
			entry := e.entry(event, w)
			entry.Target.ID = string(id)
			return entry
		},
	})
	if faults, bad := errors.AsType[push.Faults](err); bad {
		return e.refuse(event, w, faults.Below("/data"))
	}
	if errors.Is(err, ErrKeyReused) {
		return e.refuse(event, w, err)
	}
	if over, ok := errors.AsType[*push.OverQuotaError](err); ok {
		return e.over(over, event, w, happened)
	}
	if err == nil && !got.InAudit {
		entry := e.entry(event, w)
		if !got.ValidateOnly {
			entry.Target.ID = string(got.Notification.ID)
		}
		err = e.audit.Record(ctx, entry)
	}
	if err != nil { // when it comes again, its key says that it is recorded, and its entry is written then
		return e.later(msg, w, event, happened, err)
	}
	if got.ValidateOnly { // whoever sent it may wait for the notification
		e.log.Warn("event asks for validate_only: it is valid, and nothing is sent for it",
			about.Message(msg.ID, e.tenant, nil, event.TraceParent),
			zap.String("source", event.Source))
	}
	for _, w := range got.Warnings.Below("/data") { // nobody else hears of it
		e.log.Warn("event accepted with a warning", about.Notification(&got.Notification),
			zap.String("pointer", w.Pointer), zap.String("code", w.Code), zap.String("detail", w.Detail))
	}
	return worker.Ack()
}

// refuse ends an event that can never be accepted. What is wrong stays out of the audit log: it may quote the event.
func (e *Events) refuse(event *wire.Event, w *wire.Wrapped, err error) worker.Verdict {
	entry := e.entry(event, w)
	entry.Code = push.CodePayloadInvalid.String()
	e.audit.Offer(entry)
	return worker.Dead(push.CodePayloadInvalid, err.Error())
}

// later has an event come again.
func (e *Events) later(msg *worker.Message, w *wire.Wrapped, event *wire.Event, happened time.Time, err error) worker.Verdict {
	const pause = 5 * time.Second
	e.log.Warn("event not accepted yet; trying again", about.Message(msg.ID, e.tenant, nil, event.TraceParent), zap.Error(err))
	return worker.RetryAfter(pause, again(w.Event, happened))
}

// entry is what the audit log has of an event. The action is that of the API's route for events; where it came from tells
// them apart. Who sent it is what the event says of itself: whoever may write to the queue may write that.
func (e *Events) entry(event *wire.Event, w *wire.Wrapped) audit.Entry {
	return audit.Entry{
		Tenant: e.tenant, Time: e.intake.now(), Who: audit.Who{Name: event.Source}, Action: "publishEvent", Kind: audit.Change,
		Target: audit.Target{Kind: "events"}, From: "queue " + push.QueueEvents, Body: audit.Digest(w.Event),
	}
}

// over has an event that is over a quota wait on its queue: nobody hears of a refusal. One that never fits is dead.
func (e *Events) over(over *push.OverQuotaError, event *wire.Event, w *wire.Wrapped, happened time.Time) worker.Verdict {
	if over.Never {
		return e.refuse(event, w, over)
	}
	return worker.RetryAfter(over.RetryAfter(), again(w.Event, happened))
}

// again returns the body with which an event is sent anew. The queue takes it for new, so
// the body says since when the event waits. nil stands for the original bytes, if no queue
// takes others.
func again(event []byte, happened time.Time) []byte {
	stamped := wire.Stamp(event, happened)
	if worker.CheckBody(stamped) != nil {
		return nil
	}
	return stamped
}

// happened returns when an event happened, as well as that is known.
func (e *Events) happened(event *wire.Event, w *wire.Wrapped, msg *worker.Message) time.Time {
	for _, at := range []time.Time{event.Time, w.At, msg.SentAt} {
		if !at.IsZero() {
			return at
		}
	}
	return e.intake.now()
}
