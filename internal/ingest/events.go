package ingest

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Events is the second door: it handles messages of the events queue, which
// are CloudEvents, raw or wrapped by SNS. Source and id are the idempotency key.
type Events struct {
	intake *Intake
	tenant string
	log    *zap.Logger
}

// NewEvents returns the handler; everything it accepts belongs to tenant.
func NewEvents(intake *Intake, tenant string, log *zap.Logger) *Events {
	return &Events{intake: intake, tenant: tenant, log: log}
}

// Handle implements worker.Handler. An event that can never be accepted goes to the
// dead-letter queue with all its faults; a ledger that is away is waited for.
func (e *Events) Handle(ctx context.Context, msg worker.Message, _ <-chan struct{}) worker.Verdict {
	const pause = 5 * time.Second
	w, err := wire.Unwrap(msg.Body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	event, err := wire.DecodeEvent(w.Event)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	happened := e.happened(&event, &w, &msg)
	got, err := e.intake.Accept(ctx, Submission{
		Tenant: e.tenant, Key: event.Key(), Body: event.Data, TraceParent: event.TraceParent, Sender: event.Source, Happened: happened,
	})
	if faults, bad := errors.AsType[push.Faults](err); bad {
		return worker.Dead(push.CodePayloadInvalid, faults.Below("/data").Error())
	}
	if errors.Is(err, ErrKeyReused) {
		return worker.Dead(push.CodePayloadInvalid, err.Error())
	}
	if err != nil {
		e.log.Warn("event not accepted yet; trying again", zap.String("message_id", msg.ID), zap.Error(err))
		return worker.RetryAfter(pause, again(w.Event, happened))
	}
	if got.ValidateOnly { // whoever sent it may wait for the notification
		e.log.Warn("event asks for validate_only: it is valid, and nothing is sent for it", zap.String("message_id", msg.ID),
			zap.String("source", event.Source))
	}
	for _, w := range got.Warnings.Below("/data") { // nobody else hears of it
		e.log.Warn("event accepted with a warning", zap.String("notification", string(got.Notification.ID)),
			zap.String("pointer", w.Pointer), zap.String("code", w.Code), zap.String("detail", w.Detail))
	}
	return worker.Ack()
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
