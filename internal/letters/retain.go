package letters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Retention says how long letters are kept. The zero value keeps all for ever.
type Retention struct {
	// Parked is how long a letter waits for an operator before it is discarded,
	// with a tombstone; 0 means for ever.
	Parked time.Duration `json:"parked,omitempty"`
	// Warn is how long before that the warnings begin.
	Warn time.Duration `json:"warn,omitempty"`
	// Done is how long replayed and discarded letters are kept, counted from their
	// last move; 0 means for ever.
	Done time.Duration `json:"done,omitempty"`
}

// Retained is what one application of the retention policy did.
type Retained struct {
	Discarded int64 // parked too long
	Purged    int64 // done with
	Expiring  int64 // parked, and to be discarded within the warning time
}

// Retain applies the retention policy once, and brings the gauges up to date. The log and a
// metric warn of a letter before it is discarded, and a discarded letter leaves a
// tombstone.
func (r *Room) Retain(ctx context.Context) (Retained, error) {
	var done Retained
	p, now := r.cfg.Retention, r.now()
	if err := r.announce(ctx); err != nil {
		return done, err
	}
	if p.Parked > 0 {
		if _, err := r.Mend(ctx); err != nil {
			return done, err
		}
		n, err := r.giveUp(ctx, now.Add(-p.Parked))
		if done.Discarded = n; err != nil {
			return done, err
		}
	}
	for p.Done > 0 {
		n, err := r.cfg.Letters.PurgeLetters(ctx, now.Add(-p.Done), maxPut)
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
		r.cfg.Metrics.letters.WithLabelValues(string(s)).Set(float64(stats.ByState[s]))
	}
	done.Expiring = stats.Expiring
	r.cfg.Metrics.expiring.Set(float64(stats.Expiring))
	if stats.Expiring > 0 {
		r.cfg.Log.Warn("dead letters will be given up soon; replay, export or discard them",
			zap.Int64("letters", stats.Expiring), zap.Time("expires", stats.FirstExpiry))
	}
	return done, nil
}

// giveUp discards the letters that have been parked since before the given time.
func (r *Room) giveUp(ctx context.Context, before time.Time) (int64, error) {
	f := Parked(push.LetterFilter{StoredBefore: before})
	if some, err := r.reaches(ctx, &f, before); err != nil || !some {
		return 0, err
	}
	n, err := r.discardAll(ctx, f, DiscardRequest{Reason: fmt.Sprintf("parked for %v", r.cfg.Retention.Parked), By: "retention"})
	if n > 0 {
		r.cfg.Log.Warn("dead letters given up by retention", zap.Int64("letters", n), zap.Duration("parked", r.cfg.Retention.Parked))
	}
	return n, err
}

// reaches reports whether the filter may match a letter that was stored before the given
// time. No letter is stored before it is dead, so the groups show that in O(groups). While
// all letters are young, no letter has to be read; no store has an index of them by time.
func (r *Room) reaches(ctx context.Context, f *push.LetterFilter, before time.Time) (bool, error) {
	groups, err := r.cfg.Letters.LetterGroups(ctx, f.OfGroups())
	if err != nil {
		return false, fmt.Errorf("group dead letters: %w", err)
	}
	return slices.ContainsFunc(groups, func(g push.LetterGroup) bool { return g.FirstDeadAt.Before(before) }), nil
}

// Expiry says what retention will soon give up.
type Expiry struct {
	Expiring    int64         // parked letters that are given up within Within
	Within      time.Duration // the policy's warning time; 0 without a policy
	FirstExpiry time.Time     // of the first of them; zero without any
}

// Expiring returns which letters that match the filter retention will give up within its
// warning time: by this room's own policy or, without one, by the policy that was applied
// last. It costs O(groups) until letters come into that time.
func (r *Room) Expiring(ctx context.Context, f push.LetterFilter) (Expiry, error) {
	p, err := r.policy(ctx)
	if err != nil || p.Parked == 0 {
		return Expiry{}, err
	}
	f = Parked(f)
	f.StoredBefore = r.now().Add(p.Warn - p.Parked)
	e := Expiry{Within: p.Warn}
	if some, err := r.reaches(ctx, &f, f.StoredBefore); err != nil || !some {
		return e, err
	}
	if e.Expiring, err = r.Count(ctx, f); err != nil || e.Expiring == 0 {
		return e, err
	}
	first, _, err := r.cfg.Letters.Letters(ctx, f, "", 1)
	if err != nil || len(first) == 0 {
		return e, err
	}
	e.FirstExpiry = first[0].StoredAt.Add(p.Parked)
	return e, nil
}

// kindRetention is the policy that is applied to the store, in the one document
// of its kind.
const (
	kindRetention = "retention"
	policyName    = "policy"
)

// policy returns the policy that is applied to the store.
func (r *Room) policy(ctx context.Context) (Retention, error) {
	if r.cfg.Retention != (Retention{}) {
		return r.cfg.Retention, nil
	}
	var p Retention
	if _, err := document.Load(ctx, r.cfg.Documents, kindRetention, policyName, &p); err != nil && !errors.Is(err, push.ErrNotFound) {
		return p, fmt.Errorf("read the retention policy: %w", err)
	}
	return p, nil
}

// PurgeDone removes up to most letters that were replayed or discarded long enough ago, by the
// policy that was applied last or, as long as none was, after the given time; 0 is for ever.
// It is for a process that applies no policy itself.
func (r *Room) PurgeDone(ctx context.Context, otherwise time.Duration, most int) (int, error) {
	var p Retention
	_, err := document.Load(ctx, r.cfg.Documents, kindRetention, policyName, &p)
	switch {
	case errors.Is(err, push.ErrNotFound):
		p.Done = otherwise
	case err != nil:
		return 0, fmt.Errorf("read the retention policy: %w", err)
	}
	if p.Done <= 0 {
		return 0, nil
	}
	n, err := r.cfg.Letters.PurgeLetters(ctx, r.now().Add(-p.Done), most)
	if err != nil {
		return n, fmt.Errorf("purge: %w", err)
	}
	return n, nil
}

// announce records the policy for rooms that show letters and apply no policy. If two rooms
// apply one, the last to write wins.
func (r *Room) announce(ctx context.Context) error {
	var known Retention
	version, err := document.Load(ctx, r.cfg.Documents, kindRetention, policyName, &known)
	switch {
	case errors.Is(err, push.ErrNotFound):
	case err != nil:
		return fmt.Errorf("read the retention policy: %w", err)
	case known == r.cfg.Retention:
		return nil
	}
	err = document.Save(ctx, r.cfg.Documents, kindRetention, policyName, version+1, r.cfg.Retention, r.now())
	if err != nil && !errors.Is(err, push.ErrConflict) {
		return fmt.Errorf("record the retention policy: %w", err)
	}
	return nil
}

// RetainWatch applies the policy now and every quarter of an hour until ctx
// ends; a failure is tried again the next time.
func (r *Room) RetainWatch(ctx context.Context) {
	const every = 15 * time.Minute
	for {
		if _, err := r.Retain(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.Warn("retention policy not applied; trying again", zap.Error(err), zap.Duration("pause", every))
		}
		if !worker.Wait(ctx, every) {
			return
		}
	}
}
