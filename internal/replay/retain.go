package replay

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// Retention says how long letters are kept. The zero value keeps all for ever.
type Retention struct {
	// Parked is how long a letter waits for an operator before it is discarded,
	// with a tombstone; 0 means for ever.
	Parked time.Duration
	// Warn is how long before that it begins to be warned of.
	Warn time.Duration
	// Done is how long replayed and discarded letters are kept, counted from their
	// last move; 0 means for ever.
	Done time.Duration
}

// Retained is what one application of the retention policy did.
type Retained struct {
	Discarded int64 // parked too long
	Purged    int64 // done with
	Expiring  int64 // parked, and to be discarded within the warning time
}

// Retain applies the retention policy once, and brings the gauges up to date. A
// letter is warned of, in the log and by a metric, before it is discarded, and
// discarded with a tombstone, never silently.
func (r *Room) Retain(ctx context.Context) (Retained, error) {
	var done Retained
	p, now := r.Retention, r.now()
	if p.Parked > 0 {
		f := parked(push.LetterFilter{StoredBefore: now.Add(-p.Parked)})
		n, err := r.discardAll(ctx, f, DiscardRequest{Reason: fmt.Sprintf("parked for %v", p.Parked), By: "retention"})
		if done.Discarded = n; err != nil {
			return done, err
		}
		if n > 0 {
			r.Log.Warn("dead letters given up by retention", zap.Int64("letters", n), zap.Duration("parked", p.Parked))
		}
	}
	for p.Done > 0 {
		n, err := r.Letters.PurgeLetters(ctx, now.Add(-p.Done), maxPut)
		if err != nil {
			return done, fmt.Errorf("purge: %w", err)
		}
		if done.Purged += int64(n); n < maxPut {
			break
		}
	}
	stats, err := r.Stats(ctx, push.LetterFilter{States: push.LetterStates()})
	if err != nil {
		return done, err
	}
	for _, s := range push.LetterStates() {
		r.Metrics.letters.WithLabelValues(string(s)).Set(float64(stats.ByState[s]))
	}
	done.Expiring = stats.Expiring
	r.Metrics.expiring.Set(float64(stats.Expiring))
	if stats.Expiring > 0 {
		r.Log.Warn("dead letters will be given up soon; replay, export or discard them",
			zap.Int64("letters", stats.Expiring), zap.Time("first", stats.FirstExpiry))
	}
	return done, nil
}

// expiring counts the parked letters within the warning time.
func (r *Room) expiring(ctx context.Context, f push.LetterFilter) (int64, time.Time, error) {
	p := r.Retention
	if p.Parked == 0 {
		return 0, time.Time{}, nil
	}
	f = parked(f)
	f.StoredBefore = r.now().Add(p.Warn - p.Parked)
	n, err := r.count(ctx, f)
	if err != nil || n == 0 {
		return 0, time.Time{}, err
	}
	first, _, err := r.Letters.Letters(ctx, f, "", 1)
	if err != nil || len(first) == 0 {
		return n, time.Time{}, err
	}
	return n, first[0].StoredAt.Add(p.Parked), nil
}
