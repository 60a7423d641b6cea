// Package lease is a turn's hold on a chunk's line in the ledger: it claims the line,
// saves what the turn finds out, and notices when another owner has taken it.
//
// Every write raises the line's epoch, and succeeds only over the epoch it was made
// for. A claim is made of what was read before: if the line's owner, slow but alive,
// wrote a checkpoint in between under the same epoch, the claim would undo those
// outcomes.
//
// The package knows no recipient, no queue and no FCM, and never sends anything.
package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Lease is one turn's hold on a line: what is known of the line, the epoch under
// which the ledger has it, and what the ledger does not have yet.
//
//	read ──Take──▶ held ──a save without an answer──▶ in doubt
//	                 ▲──────────────MakeSure─────────────┘
//
// A write that finds the line written by somebody else returns ledger.ErrFenced:
// the lease is lost, and nothing more may be written under it.
//
// It belongs to one goroutine, except for Holds.
type Lease struct {
	Line ledger.Line // as its owner knows it

	by       *Leases
	about    func() zap.Field // for lines of the log
	base     int64            // the epoch under which the line is stored
	attempts []ledger.Attempt
	marks    []ledger.Attempt // of the turn: they go with its first evidence
	state    state
	doubted  *Save // of a lease that is in doubt

	owner     string                       // names the claim; "" before
	savedAt   time.Duration                // when the last write of the line began, by the monotonic clock
	confirmed atomic.Pointer[clock.Moment] // when the last successful write began
}

// state is what a turn may do with a line.
type state uint8

const (
	stateRead    state = iota // nothing: the line is another's, or nobody's
	stateHeld                 // write it
	stateInDoubt              // find out first what is stored: a save failed, or its answer got lost
)

// limit is how long after a write of the line began a request may still start under
// the lease. Others take the line from an owner that writes nothing for FreshFor, so
// an owner that was stopped, or cut off from the ledger, sends nothing when it goes
// on. A line is written every second.
const limit = ledger.FreshFor * 3 / 4

// Epoch returns the epoch under which the line is stored.
func (l *Lease) Epoch() int64 { return l.base }

// SavedAt returns when the last write of the line began, by the monotonic clock.
func (l *Lease) SavedAt() time.Duration { return l.savedAt }

// Unsaved returns the evidence that no save has taken yet.
func (l *Lease) Unsaved() []ledger.Attempt { return l.attempts }

// Read reads the line, and reports whether somebody has written it since the last
// reading.
func (l *Lease) Read(ctx context.Context, ref push.ChunkRef) (changed bool, err error) {
	line, err := l.by.Lines.Line(ctx, ref)
	if err != nil {
		return false, err
	}
	changed = line.Epoch != l.base
	l.Line, l.base = line, line.Epoch
	return changed, nil
}

// Unchanged reports whether the stored line is still the one that was read last.
// Line keeps what this owner has changed meanwhile.
func (l *Lease) Unchanged(ctx context.Context) (bool, error) {
	stored, err := l.by.Lines.Line(ctx, l.Line.Ref)
	return stored.Epoch == l.base, err
}

// Claim returns the line as a new owner in this process claims it at that turn of
// its chunk; its errors are those of [ledger.Line.Claim]. It writes nothing: Take
// does.
func (l *Lease) Claim(turn int) (ledger.Line, error) {
	l.owner = l.by.claims.name(l.by.Process)
	return l.Line.Claim(l.owner, turn, l.by.stamp())
}

// Take writes a claimed line. Without an error the line is this lease's from now on.
func (l *Lease) Take(ctx context.Context, claimed ledger.Line) error {
	s := Save{by: l.by, about: l.about, line: claimed, from: l.base, patience: claimFor}
	if s.Write(ctx); s.err != nil {
		return s.err
	}
	l.Line, l.base, l.state = claimed, claimed.Epoch, stateHeld
	l.confirm(s.begun)
	return nil
}

// usualEvidence is how much a save usually takes: the results of a checkpoint, and a few
// that come until it begins.
const usualEvidence = 64

// Mark keeps what is known of the turn itself until it has evidence: alone it is not worth a
// write.
func (l *Lease) Mark(marks ...ledger.Attempt) { l.marks = marks }

// Note keeps evidence for the next save.
func (l *Lease) Note(a ledger.Attempt) {
	if l.attempts == nil && len(l.Line.Cells) > 1 {
		l.attempts = make([]ledger.Attempt, 0, len(l.marks)+min(usualEvidence, len(l.Line.Cells)))
	}
	l.attempts = append(append(l.attempts, l.marks...), a)
	l.marks = nil
}

// Checkpoint returns a save of what is known, which takes the evidence with it. The
// caller has it written, and passes it to Ended before the next one begins.
func (l *Lease) Checkpoint() Save {
	s := Save{by: l.by, about: l.about, line: l.Line, from: l.base, attempts: l.attempts, patience: saveFor}
	s.line.Cells = slices.Clone(l.Line.Cells)
	s.line.Touch(l.by.stamp())
	l.Line.FirstAt = s.line.FirstAt
	s.line.Epoch = l.base + 1
	l.attempts, l.savedAt = nil, l.by.elapsed()
	return s
}

// Ended takes note of how a save ended; kept reports whether the ledger has it. An
// error says that the lease is lost.
func (l *Lease) Ended(s Save) (kept bool, lost error) {
	switch {
	case errors.Is(s.err, ledger.ErrFenced):
		return false, s.err
	case s.err != nil:
		l.by.Log.Warn("checkpoint failed; ending the turn", l.about(), zap.Error(s.err))
		doubted := s // so that only this one is kept
		l.state, l.doubted = stateInDoubt, &doubted
		return false, nil //nolint:nilerr // it is not known to be lost
	}
	l.base = s.line.Epoch
	l.confirm(s.begun)
	return true, nil
}

// SaveNow writes a checkpoint and waits for its end.
func (l *Lease) SaveNow(ctx context.Context) (kept bool, lost error) {
	s := l.Checkpoint()
	s.Write(ctx)
	return l.Ended(s)
}

// MakeSure finds out what became of a save without an answer: the line is still
// this lease's, with or without that save, or it is somebody else's. If the save
// arrives only after this, the ledger refuses it, or the write that ends the turn.
func (l *Lease) MakeSure(ctx context.Context) error {
	if l.state != stateInDoubt {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Grace)
	defer cancel()
	stored, err := l.by.Lines.Line(ctx, l.Line.Ref)
	switch {
	case err != nil:
		return fmt.Errorf("read the line again: %w", err)
	case stored.Owner != l.Line.Owner:
		return ledger.ErrFenced
	case stored.Epoch != l.doubted.line.Epoch: // not written
		l.attempts = append(l.doubted.attempts, l.attempts...)
	}
	l.base, l.state, l.doubted = stored.Epoch, stateHeld, nil
	return nil
}

// Finish writes the line as the turn leaves it, with all evidence.
func (l *Lease) Finish(ctx context.Context, next ledger.Line) error {
	next.Epoch = l.base + 1
	s := Save{by: l.by, about: l.about, line: next, from: l.base, attempts: l.attempts, patience: saveFor}
	if s.Write(ctx); s.err != nil {
		return s.err
	}
	l.Line, l.base, l.attempts = next, next.Epoch, nil
	return nil
}

// Release says that nobody in this process works on the line any more.
func (l *Lease) Release() { l.by.claims.drop(l.owner) }

// confirm notes that the line was this lease's when the write began.
func (l *Lease) confirm(begun clock.Moment) {
	l.savedAt = begun.Elapsed
	l.confirmed.Store(&begun)
}

// Holds reports whether the line was confirmed so recently that a request may start
// under the lease. Safe for concurrent use.
func (l *Lease) Holds() bool {
	begun := l.confirmed.Load() // before the clocks are read
	return begun != nil && begun.Age(l.by.Moment()) < limit
}

// HeldAt is Holds as of a moment that has just been.
func (l *Lease) HeldAt(now clock.Moment) bool {
	begun := l.confirmed.Load()
	return begun != nil && begun.Age(now) < limit
}

// Ours reports whether the line's owner is a claim of this process, and whether
// that claim is in hand.
func (l *Lease) Ours() (own, held bool) { return l.by.claims.knows(l.by.Process, l.Line.Owner) }
