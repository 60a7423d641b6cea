package janitor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// suspicion is what an operator knows about lost messages.
type suspicion struct {
	// Before is the time before which every queue message may be lost.
	Before time.Time `json:"before"`
	Why    string    `json:"why,omitempty"`
	// Healed is the time at which a round had gone over everything.
	Healed time.Time `json:"healed,omitzero"`

	version int64
}

// settled is how long after a loss a round may begin: an owner that works on a line
// writes it every second, and so shows by that time that it lives.
const settled = 10 * time.Second

// lost returns the time before which messages count as lost, zero for none.
func (s *suspicion) lost(now time.Time) time.Time {
	if !s.Healed.IsZero() || now.Sub(s.Before) < settled {
		return time.Time{}
	}
	return s.Before
}

// Suspect tells the janitor that messages sent before now may be lost: a queue was
// purged, made anew, or restored from another moment. In its next round the janitor has
// every open line that was last written before now sent anew. The active janitor may be
// gone with the queue, so its lease is given up. why is for people.
func Suspect(ctx context.Context, docs document.Store, why string, now time.Time) error {
	const tries = 16 // only janitors write beside it, once in a while
	for range tries {
		var s suspicion
		version, err := load(ctx, docs, nameLost, &s)
		if err != nil {
			return err
		}
		err = save(ctx, docs, nameLost, version+1, suspicion{Before: now.UTC(), Why: why}, now)
		if err == nil {
			return vacate(ctx, docs, now)
		}
		if !errors.Is(err, push.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("tell the janitor: lost %d times: %w", tries, push.ErrConflict)
}

// Settled reports whether nobody suspects that messages are lost, or the janitor has gone over
// everything since: before that, nothing that it may look at should be removed.
func Settled(ctx context.Context, docs document.Store) (bool, error) {
	var s suspicion
	_, err := load(ctx, docs, nameLost, &s)
	return s.Before.IsZero() || !s.Healed.IsZero(), err
}

func (j *Janitor) suspicion(ctx context.Context) (suspicion, error) {
	var s suspicion
	version, err := load(ctx, j.cfg.Documents, nameLost, &s)
	s.version = version
	return s, err
}

// healed notes that a round has gone over everything suspected, unless there is a new
// suspicion by now.
func (j *Janitor) healed(ctx context.Context, s suspicion) error {
	s.Healed = j.cfg.Now().UTC()
	err := save(ctx, j.cfg.Documents, nameLost, s.version+1, s, j.cfg.Now())
	if errors.Is(err, push.ErrConflict) {
		return nil
	}
	return err
}
