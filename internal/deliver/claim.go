package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/worker"
)

// claiming takes the line for this process.
type claiming struct {
	pace       *pace.Pace
	window     int // see Config
	metrics    *Metrics
	completion *completion
}

// run implements stage. The reservation of the first window is part of the claim,
// so that a crash right after it is accounted for.
func (c *claiming) run(ctx context.Context, j *job) (*worker.Verdict, error) {
	claimed, err := j.lease.Claim(j.chunk.Turn)
	switch {
	case errors.Is(err, ledger.ErrClosed):
		// The owner that closed it may have got no further.
		if err := c.completion.complete(ctx, j); err != nil {
			return nil, err
		}
		return done(worker.Ack())
	case errors.Is(err, ledger.ErrStale):
		return done(worker.Ack())
	case errors.Is(err, ledger.ErrBusy):
		return busy()
	case err != nil:
		return nil, err
	}
	claimed.Attempt = max(claimed.Attempt, j.chunk.Attempt)
	if first := group(j.suspects.rows); len(first) > 0 {
		c.metrics.suspected.Inc()
		claimed.Reserve(bounds(&j.chunk, first))
		claimed.Trial = j.onTrial(first)
	} else {
		claimed.Reserve(0, c.reserve(j))
	}
	planned := j.lease.Line.State == ledger.StatePlanned
	plannedAt := j.lease.Line.UpdatedAt // as long as nobody wrote since
	err = j.lease.Take(ctx, claimed)
	if errors.Is(err, ledger.ErrFenced) { // another owner wrote it this moment: as good as busy
		return busy()
	}
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	taken := ledger.Taken(j.chunk.Turn, j.takenAt, j.queuedAt)
	if planned {
		j.lease.Mark(ledger.Planned(plannedAt, j.chunk.PlanQueuedAt), taken)
	} else {
		j.lease.Mark(taken)
	}
	return nil, nil
}

// reserve returns the reservation that a claim begins with: the rows that will be sent
// before the first checkpoint can follow, at the expected pace. A single recipient needs
// no checkpoint.
func (c *claiming) reserve(j *job) int {
	if !j.connected() {
		return 0
	}
	j.perSecond = c.pace.Begin(j.channel.Guard.State().Pace)
	j.places.pace = c.pace
	rows := openRows(&j.chunk, &j.lease.Line)
	n := 1
	if l := j.head.limiter; l != nil || len(rows) > 1 {
		if l != nil {
			j.perSecond = min(j.perSecond, float64(l.Limit()))
		}
		n = min(c.pace.First(j.perSecond, c.window), len(rows))
	}
	if n == 0 || len(rows) == 0 {
		return 0
	}
	return j.chunk.Index[rows[n-1]] + 1
}
