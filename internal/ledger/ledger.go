// Package ledger is the arithmetic of a chunk's line: which recipients have an
// outcome, who may write the next one, and how many are in which class. It is
// pure; drivers store what it computes and never decide anything themselves.
//
// Life of a line (docs/states.md draws it):
//
//	planned ──claim──▶ claimed ──close──▶ closed
//	                    │   ▲
//	              hand back  claim (epoch+1)
//	                    ▼   │
//	                   waiting
//
// A line is one item in every store. Every write after planning is conditional
// on the epoch that the writer holds, so an owner that lost its claim can't
// write; no clock takes part in that.
package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Errors of a claim or a write. Drivers return ErrFenced from a conditional
// write that lost.
var (
	// ErrClosed says that every recipient of the line has its outcome.
	ErrClosed = errors.New("chunk line is closed")
	// ErrBusy says that the line's owner checkpointed moments ago: leave it alone.
	ErrBusy = errors.New("chunk line is held by a live owner")
	// ErrStale says that a newer queue message carries this chunk.
	ErrStale = errors.New("chunk message is stale")
	// ErrFenced says that someone else claimed the line since.
	ErrFenced = errors.New("chunk line was claimed by another owner")
)

// FreshFor is how long after its last checkpoint a line's owner is left alone.
// It only saves work; two owners at once would still be fenced by the epoch.
const FreshFor = 2 * time.Second

// State is where a line stands.
type State uint8

// The states of a line; their numbers are part of the storage format.
const (
	StatePlanned State = 0 // chunk message on its way, never claimed
	StateClaimed State = 1 // an owner is sending
	StateWaiting State = 2 // handed back: a chunk message with this turn is on the queue
	StateParked  State = 3 // handed back without a message: its notification is paused
	StateClosed  State = 4 // every cell is terminal
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case StatePlanned:
		return "planned"
	case StateClaimed:
		return "claimed"
	case StateWaiting:
		return "waiting"
	case StateParked:
		return "parked"
	case StateClosed:
		return "closed"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// Cell is one recipient's outcome in a byte: the code in the low 7 bits, and
// the top bit when the message may have reached the device more than once.
type Cell uint8

const maybeTwice Cell = 0x80

// CellOf returns the cell for a code.
func CellOf(c push.Code, possibleDuplicate bool) Cell {
	cell := Cell(c) &^ maybeTwice
	if possibleDuplicate {
		cell |= maybeTwice
	}
	return cell
}

// Code returns the outcome, push.CodeOpen while there is none.
func (c Cell) Code() push.Code { return push.Code(c &^ maybeTwice) }

// PossibleDuplicate tells whether an earlier attempt may have delivered too.
func (c Cell) PossibleDuplicate() bool { return c&maybeTwice != 0 }

// Open tells whether the recipient has no outcome yet.
func (c Cell) Open() bool { return c&^maybeTwice == 0 }

// Plan is what is fixed about a chunk before anything is sent. It is written
// once; a second planning of the same chunk finds the first and keeps it.
type Plan struct {
	Ref       push.ChunkRef
	Tenant    string
	FirstLine int64    // source line of the first recipient, from 1
	Sources   int      // accepted addresses, users or lines that this chunk accounts for
	Last      bool     // no chunk of the same page comes after it
	Hashes    []uint64 // per recipient, push.Address.Hash; 0 where there is no address
	Cells     []Cell   // outcomes known at planning: suppressed, cancelled
}

// Line is the part of a chunk that changes. Drivers store it whole.
type Line struct {
	Ref     push.ChunkRef
	Tenant  string
	Sources int
	Last    bool

	Epoch   int64 // grows by one with every write
	Owner   string
	State   State
	Attempt int // attempts begun, 0 before the first
	Turn    int // hand-backs so far; a message with a lower turn is stale
	// ReservedFrom and Reserved bound the cells whose sends may be under way
	// without a checkpoint: the owner may have sent any open cell in
	// [ReservedFrom, Reserved). The lower bound is 0 unless groups of suspects
	// are sent to. Of a line that waits, the range holds those still suspected.
	ReservedFrom, Reserved int
	// Vanished counts the owners that died over the line, one after the other,
	// since a turn of it last went well; see [Line.Vanish].
	Vanished  int
	Cells     []Cell
	UpdatedAt time.Time // of the last write; information and freshness only
	// Due is the time before which nothing may be sent, zero if there is none. It
	// stands in the message too; the line keeps it for the day when that is lost.
	Due time.Time
}

// NewLine returns the line that a plan starts with: closed at once when
// planning already gave every recipient an outcome.
func NewLine(p Plan, now time.Time) Line {
	l := Line{
		Ref: p.Ref, Tenant: p.Tenant, Sources: p.Sources, Last: p.Last,
		State: StatePlanned, Cells: append([]Cell(nil), p.Cells...), UpdatedAt: now,
	}
	if l.OpenCount() == 0 {
		l.State = StateClosed
	}
	return l
}

// OpenCount returns how many recipients have no outcome yet.
func (l *Line) OpenCount() int {
	n := 0
	for _, c := range l.Cells {
		if c.Open() {
			n++
		}
	}
	return n
}

// Claim returns the line as its next owner holds it; the caller stores it on
// condition of the epoch it was read with. turn is the queue message's.
//
// When the last owner vanished, every open cell that it may have sent is
// flagged as a possible duplicate: that is what the reservation is for.
func (l Line) Claim(owner string, turn int, now time.Time) (Line, error) {
	switch {
	case l.State == StateClosed:
		return l, ErrClosed
	case turn < l.Turn:
		return l, ErrStale
	case l.State == StateClaimed && l.Owner != owner && now.Sub(l.UpdatedAt) < FreshFor:
		return l, ErrBusy
	}
	l.Cells = append([]Cell(nil), l.Cells...)
	if l.State == StateClaimed {
		for i := range l.Cells {
			if l.UnderWay(i) {
				l.Cells[i] |= maybeTwice
			}
		}
	}
	l.Epoch++
	l.Owner = owner
	l.State = StateClaimed
	l.Due = time.Time{}
	l.Reserve(0, 0)
	l.UpdatedAt = now
	return l, nil
}

// Settle writes one recipient's terminal outcome. A cell that has one keeps it,
// and Settle reports false: one terminal outcome per recipient, the first.
func (l *Line) Settle(i int, code push.Code, possibleDuplicate bool) bool {
	if !l.Cells[i].Open() || !code.Terminal() {
		return false
	}
	l.Cells[i] = CellOf(code, possibleDuplicate || l.Cells[i].PossibleDuplicate())
	return true
}

// MarkAmbiguous flags an open recipient whose attempt may have delivered.
func (l *Line) MarkAmbiguous(i int) {
	if l.Cells[i].Open() {
		l.Cells[i] |= maybeTwice
	}
}

// HandBack returns the line as it waits for its next turn on the queue
// (StateWaiting) or for a resume (StateParked). Nothing of it is under way. How
// many owners vanished stays: a turn that went well has set it to 0 itself.
func (l Line) HandBack(to State, turn int, now time.Time) Line {
	l.State = to
	l.Turn = turn
	l.Owner = ""
	l.Reserve(0, 0)
	l.UpdatedAt = now
	return l
}

// Close returns the line as finished. It panics if a cell is open: that would
// lose a recipient silently, which promise 1 forbids.
func (l Line) Close(now time.Time) Line {
	if n := l.OpenCount(); n > 0 {
		panic(fmt.Sprintf("ledger: close %s with %d open cells", l.Ref, n))
	}
	l.State = StateClosed
	l.Owner = ""
	l.Vanished = 0
	l.Reserve(0, 0)
	l.UpdatedAt = now
	return l
}

// Tally returns the line's part of its notification's counts.
func (l *Line) Tally() Counts {
	c := Counts{Sources: int64(l.Sources), Chunks: 1, Epochs: l.Epoch}
	if l.Last {
		c.PagesPlanned = 1
	}
	if l.State == StateClosed {
		c.ChunksClosed = 1
	}
	for _, cell := range l.Cells {
		c.AddCells(cell, 1)
	}
	c.FirstAt, c.LastAt = l.UpdatedAt, l.UpdatedAt
	return c
}
