package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// ErrNotDead says that a cell is not dead-lettered, so it can't be reopened.
var ErrNotDead = errors.New("recipient is not dead-lettered")

// ErrInDelivery says that the line is not closed: a message that carries all of
// its open cells is on its way, and a second one would be stale or make the
// first one so.
var ErrInDelivery = errors.New("chunk line is still in delivery")

// Reopen returns the closed line with dead-lettered cells open again for a
// replay, waiting for the chunk message that the caller sends next, and the
// evidence to be stored with it: the mark by which whoever comes after a crash
// can tell whether a cell was reopened by this replay ([ReopenedBy]). The
// caller stores both with the store's ReopenLine, on condition of the epoch it
// read.
//
// The replay's id is the line's owner until somebody claims it, so that a
// waiting line which it still owns may lack its message. A flag of a possible
// duplicate stays. Errors are [ErrInDelivery] and [ErrNotDead].
func (l Line) Reopen(cells []int, replay push.ID, now time.Time) (Line, []Attempt, error) {
	if l.State != StateClosed {
		return l, nil, ErrInDelivery
	}
	marks := make([]Attempt, 0, len(cells))
	l.Cells = append([]Cell(nil), l.Cells...)
	for _, i := range cells {
		if i < 0 || i >= len(l.Cells) || l.Cells[i].Code().Class() != push.ClassDeadLettered {
			return l, nil, fmt.Errorf("cell %d of %s: %w", i, l.Ref, ErrNotDead)
		}
		l.Cells[i] = CellOf(push.CodeOpen, l.Cells[i].PossibleDuplicate())
		marks = append(marks, Attempt{Cell: i, At: now.Truncate(time.Millisecond), Detail: reopenMark + string(replay)})
	}
	l.Epoch++
	l.Turn++
	l.State = StateWaiting
	l.Owner = string(replay)
	l.Reserve(0, 0)
	l.Touch(now)
	return l, marks, nil
}

// reopenMark begins the detail of evidence that is not of an attempt but of a
// replay; its Code is CodeOpen and its Attempt 0.
const reopenMark = "replayed by "

// ReopenedBy returns the cells that a replay reopened, by the line's evidence.
func ReopenedBy(evidence []Attempt, replay push.ID) map[int]bool {
	cells := make(map[int]bool)
	for i := range evidence {
		if id, ok := evidence[i].ReopenedBy(); ok && id == replay {
			cells[evidence[i].Cell] = true
		}
	}
	return cells
}

// LastReopened returns which replay reopened each cell last; cells that none
// did are absent. If that is a later one, an earlier one's try of the cell was
// in vain: only a dead-lettered cell is reopened.
func LastReopened(evidence []Attempt) map[int]push.ID {
	cells := make(map[int]push.ID)
	for i := range evidence {
		if id, ok := evidence[i].ReopenedBy(); ok {
			cells[evidence[i].Cell] = id
		}
	}
	return cells
}

// FailedWith returns the code of each cell's last attempt for a replay: behind the replay's
// mark, and before any later replay's. Cells that the replay did not reopen, or that FCM was
// not asked about since, are absent.
func FailedWith(evidence []Attempt, replay push.ID) map[int]push.Code {
	codes, ours := make(map[int]push.Code), make(map[int]bool)
	for i := range evidence {
		a := &evidence[i]
		if id, ok := a.ReopenedBy(); ok {
			ours[a.Cell] = id == replay
		} else if ours[a.Cell] && a.Attempt > 0 {
			codes[a.Cell] = a.Code
		}
	}
	return codes
}

// ReopenedBy returns the replay whose mark this is; ok is false if it is none.
func (a *Attempt) ReopenedBy() (replay push.ID, ok bool) {
	id, ok := strings.CutPrefix(a.Detail, reopenMark)
	return push.ID(id), ok && a.Attempt == 0 && a.Code == push.CodeOpen
}

// LastMark returns when a replay reopened each of its cells last.
func LastMark(evidence []Attempt, replay push.ID) map[int]time.Time {
	cells := make(map[int]time.Time)
	for i := range evidence {
		if id, ok := evidence[i].ReopenedBy(); ok && id == replay {
			cells[evidence[i].Cell] = evidence[i].At
		}
	}
	return cells
}

// Tries returns the try that each of the cells is at by the evidence, and how the
// last one failed; nil if none was tried. A replay begins to count anew. Tries that
// left no evidence, because their worker died, are not counted: only what FCM or
// the network answered uses up an attempt.
func Tries(evidence []Attempt, cells []int) ([]int, push.Code) {
	type try struct {
		n    int
		code push.Code
		at   int // in the evidence
	}
	last := make(map[int]try, len(cells))
	for _, c := range cells {
		last[c] = try{}
	}
	for i := range evidence {
		a := &evidence[i]
		t, asked := last[a.Cell]
		if !asked {
			continue
		}
		if _, mark := a.ReopenedBy(); mark {
			last[a.Cell] = try{}
		} else if a.Attempt > 0 {
			last[a.Cell] = try{max(t.n, a.Attempt), a.Code, i + 1}
		}
	}
	tries, latest := make([]int, len(cells)), try{}
	for i, c := range cells {
		tries[i] = last[c].n + 1
		if last[c].at > latest.at {
			latest = last[c]
		}
	}
	if latest.n == 0 {
		return nil, push.CodeOpen
	}
	return tries, latest.code
}
