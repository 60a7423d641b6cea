package ledgertest

import (
	"context"
	"slices"
	"sync"

	"github.com/belfry-push/belfry/internal/ledger"
)

// Saves is a ledger that keeps a record of the lines saved, and in which a test
// has a say in each save. The functions run one at a time, under a lock: they do
// not wait. A store that is slow is put around this one by [Around].
type Saves struct {
	Store

	// Before, if set, is called ahead of each save. What it returns, unless nil, the
	// caller gets in place of the save: the store was away, or somebody else was
	// faster.
	Before func(l ledger.Line) error
	// After, if set, is called when a line is saved. What it returns, unless nil, the
	// caller gets in place of the answer, which was lost.
	After func(l ledger.Line) error

	mu    sync.Mutex
	lines []ledger.Line
}

// SaveLine implements [Store].
func (s *Saves) SaveLine(ctx context.Context, l ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Before != nil {
		if err := s.Before(l); err != nil {
			return err
		}
	}
	if err := s.Store.SaveLine(ctx, l, fromEpoch, attempts); err != nil {
		return err
	}
	s.lines = append(s.lines, copied(l))
	if s.After == nil {
		return nil
	}
	return s.After(l)
}

// Saved returns the lines saved so far, in that order.
func (s *Saves) Saved() []ledger.Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}
