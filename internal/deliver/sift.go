package deliver

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// sifting settles the recipients that need no sending any more: expired, cancelled, erased,
// without another attempt, or, with at-most-once delivery, perhaps delivered already.
type sifting struct {
	*timing

	erasures    Erasures
	maxAttempts int // see Config
	metrics     *Metrics
}

// run implements stage.
func (s *sifting) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	if err := s.erasures.Current(ctx); err != nil {
		return nil, fmt.Errorf("look who is erased: %w", err)
	}
	if j.n.Guarantee == push.AtMostOnce {
		for _, cell := range j.chunk.Index {
			if c := j.lease.Line.Cells[cell]; c.Open() && c.PossibleDuplicate() {
				j.settle(cell, push.CodeUnknown, s.now(), s.metrics)
			}
		}
	}
	switch why := j.stopReason(s.now()); why {
	case stopExpired:
		j.settleAll(push.CodeExpired, s.now(), s.metrics)
	case stopCancelled:
		j.settleAll(push.CodeCancelled, s.now(), s.metrics)
	case stopPaused, stopNone:
	case stopDrained, stopDeferred, stopLedger, stopFinished:
	}
	s.erased(j)
	s.exhausted(j)
	return nil, nil
}

// exhausted gives up the rows that have had all their attempts. They came again only
// because their dead letter could not be sent.
func (s *sifting) exhausted(j *job) {
	most := j.mostAttempts(s.maxAttempts)
	if j.chunk.Attempt <= most {
		return
	}
	code := j.chunk.LastCode
	if code == push.CodeOpen {
		code = push.CodeUnclassified
	}
	for row, cell := range j.chunk.Index {
		if j.chunk.AttemptOf(row) > most && j.lease.Line.Cells[cell].Open() {
			r := result{row: row, code: code}
			if code == push.CodePoison {
				r.detail = "the worker died again and again while sending to this recipient; it may have been delivered"
			}
			j.dead = append(j.dead, r)
		}
	}
}
