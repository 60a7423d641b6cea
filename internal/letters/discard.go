package letters

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// DiscardRequest says which letters are given up, by whom and why.
type DiscardRequest struct {
	Filter push.LetterFilter
	All    bool   // required for a filter that takes every letter
	Reason string // required; kept in the tombstone, at most 500 bytes
	By     string
	// Expect, if positive, is the number of letters that the caller was shown: if more
	// match now, nothing is discarded.
	Expect int64
	// Progress, if set, is called with the number of discarded letters.
	Progress func(done int64)
}

// Discard gives up the parked letters that match the filter and leaves tombstones: the
// story of each, without what could be sent. It returns how many it discarded; letters that
// a replay has claimed are left to the replay. A call that was cut short may be repeated. Errors are push.Faults, ErrUnbounded, ErrNothing
// and ErrStale when more letters match than the caller expected.
func (r *Room) Discard(ctx context.Context, req DiscardRequest) (int64, error) {
	if err := CheckSelection(&req.Filter, req.All); err != nil {
		return 0, err
	}
	const longest = 500
	if reason := strings.TrimSpace(req.Reason); reason == "" || len(reason) > longest {
		return 0, push.Faults{
			{Pointer: "/reason", Code: push.FaultMissing, Detail: fmt.Sprintf("say why, in 1..%d bytes: the tombstones keep it", longest)},
		}
	}
	if _, err := r.Mend(ctx); err != nil { // or what is inside would go, too
		return 0, fmt.Errorf("discard: %w", err)
	}
	f := Parked(req.Filter)
	if now := r.now(); f.StoredBefore.IsZero() || f.StoredBefore.After(now) {
		f.StoredBefore = now // what arrives from now on was not asked about
	}
	n, err := r.Count(ctx, f)
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, fmt.Errorf("%w: nothing is parked that the filter takes", ErrNothing)
	case req.Expect > 0 && n > req.Expect:
		return 0, fmt.Errorf("%w: %d letters match now, not %d; look again", ErrStale, n, req.Expect)
	}
	return r.discardAll(ctx, f, req)
}

func (r *Room) discardAll(ctx context.Context, f push.LetterFilter, req DiscardRequest) (int64, error) {
	var done int64
	for cursor := ""; ; {
		page, next, err := r.cfg.Letters.Letters(ctx, f, cursor, pageSize)
		if err != nil {
			return done, fmt.Errorf("discard: %w", err)
		}
		moves := make([]push.LetterMove, len(page))
		for i := range page {
			moves[i] = push.LetterMove{
				ID: page[i].ID, Version: page[i].Version, State: push.LetterDiscarded, At: r.now(), Reason: req.Reason, By: req.By,
			}
		}
		moved, err := r.cfg.Letters.MoveLetters(ctx, moves)
		if err != nil {
			return done, fmt.Errorf("discard: %w", err)
		}
		for _, ok := range moved {
			if ok {
				done++
				r.cfg.Metrics.discarded.Inc()
			}
		}
		if req.Progress != nil {
			req.Progress(done)
		}
		if cursor = next; cursor == "" {
			return done, nil
		}
	}
}
