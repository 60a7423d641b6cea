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
// Whoever must know whether an owner lives reads the line twice, FreshFor apart
// by its own monotonic clock, and says so with [Line.Forsaken].
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

// PossibleDuplicate reports whether an earlier attempt may have delivered too.
func (c Cell) PossibleDuplicate() bool { return c&maybeTwice != 0 }

// Open reports whether the recipient has no outcome yet.
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
	Vanished int
	// Alone counts those of Vanished that died in a trial of the one recipient in
	// the reserved range, and Trial says that the owner is in one: it has been up
	// for a while, and has nothing but this recipient in hand.
	Alone     int
	Trial     bool
	Cells     []Cell
	UpdatedAt time.Time // of the last write, by its writer's wall clock; a hint
	// FirstAt is the time of the first write with an outcome, and never changes; zero if
	// there was none.
	FirstAt time.Time
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
	l.Touch(now)
	return l
}

// Touch notes that the line is written at a time.
func (l *Line) Touch(now time.Time) {
	l.UpdatedAt = now
	if l.FirstAt.IsZero() && l.OpenCount() < len(l.Cells) {
		l.FirstAt = now
	}
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
// Whether the last owner is alive the caller has found out ([Line.Forsaken]), or
// the wall clock must do; it decides about work done twice, not about who may
// write: an owner that is alive all the same is fenced.
//
// When the last owner vanished, every open cell that it may have sent is
// flagged as a possible duplicate: that is what the reservation is for.
func (l Line) Claim(owner string, turn int, now time.Time) (Line, error) {
	switch {
	case l.State == StateClosed:
		return l, ErrClosed
	case turn < l.Turn:
		return l, ErrStale
	case l.State == StateClaimed && l.Owner != owner && l.fresh(now):
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
	l.Trial = false
	l.Reserve(0, 0)
	l.Touch(now)
	return l, nil
}

// fresh reports whether the line was written a moment ago, as far as wall clocks
// can tell. One that will be written in the future was not.
func (l *Line) fresh(now time.Time) bool {
	age := now.Sub(l.UpdatedAt)
	return age >= 0 && age < FreshFor
}

// Forsaken returns the line, as read, as one whose owner is known not to work on
// it any more: a claim asks no clock about that.
func (l Line) Forsaken() Line {
	if l.State == StateClaimed {
		l.UpdatedAt = time.Time{}
	}
	return l
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
	l.Trial = false
	l.Reserve(0, 0)
	l.Touch(now)
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
	l.Clear()
	l.Reserve(0, 0)
	l.Touch(now)
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
	if l.State == StateWaiting {
		c.ChunksWaiting, c.NextDue = 1, l.Due
	}
	for _, cell := range l.Cells {
		c.AddCells(cell, 1)
	}
	c.FirstAt, c.LastAt = l.FirstAt, l.UpdatedAt
	return c
}
