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

// Handle implements worker.Handler. What can't be accepted, ever, goes to the
// dead-letter queue with all its faults; a ledger that is away is waited for.
func (e *Events) Handle(ctx context.Context, msg worker.Message, _ <-chan struct{}) worker.Verdict {
	const pause = 5 * time.Second
	body, err := wire.Unwrap(msg.Body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	event, err := wire.DecodeEvent(body)
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	_, err = e.intake.Accept(ctx, Submission{Tenant: e.tenant, Key: event.Key(), Body: event.Data, TraceParent: event.TraceParent})
	if _, bad := errors.AsType[push.Faults](err); bad || errors.Is(err, ErrKeyReused) {
		return worker.Dead(push.CodePayloadInvalid, err.Error())
	}
	if err != nil {
		e.log.Warn("event not accepted yet; trying again", zap.String("message_id", msg.ID), zap.Error(err))
		return worker.RetryAfter(pause, nil)
	}
	return worker.Ack()
}
