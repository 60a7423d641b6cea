package ledger

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Marks are evidence about a whole chunk: they stand among its attempts under cells that no
// chunk has, in front of the attempts of the turn that they are about. A turn that asks FCM
// nothing leaves none, because evidence of its own would cost a write.
const (
	markPlanned = 1 << 14 // the plan; Latency is how long the task to plan it had been on its queue
	markTaken   = 1 << 15 // a turn's beginning; Latency is how long the chunk's message had been on its queue
)

// Planned returns the mark that a chunk was planned, by a task that was queued at that
// time; zero if it is not known.
func Planned(at, queued time.Time) Attempt { return mark(markPlanned, 0, at, queued) }

// Taken returns the mark that a worker took a chunk in its turn, from 0, and when its message
// was queued; zero if it is not known.
func Taken(turn int, at, queued time.Time) Attempt { return mark(markTaken, turn, at, queued) }

func mark(cell, turn int, at, queued time.Time) Attempt {
	a := Attempt{Cell: cell, Attempt: turn + 1, Code: push.CodeOpen, At: at}
	if !queued.IsZero() {
		a.Latency = max(time.Millisecond, at.Sub(queued)) // stores keep milliseconds, and 0 says nothing
	}
	return a
}

// OfChunk reports whether this is no attempt but a mark about the whole chunk.
func (a *Attempt) OfChunk() bool { return a.Cell >= markPlanned }

// Turn is when a chunk was taken in hand, by its mark.
type Turn struct {
	N      int           // 0 for the first
	At     time.Time     // when a worker took its message
	Queued time.Duration // how long the message had been on the queue; 0 if it is not known
}

// Split takes the marks out of a chunk's evidence: when it was planned, zero if there is no
// mark, how long the task to plan it had been on its queue, the turns in their order, and
// what is left for each cell. A cell's attempts are told with the place among turns of the
// one in which they were made, -1 if it left no mark.
func Split(evidence []Attempt) (h History) {
	h.Cells = make(map[int][]Attempt, len(evidence))
	h.in = make(map[int][]int)
	for i := range evidence {
		switch a := &evidence[i]; a.Cell {
		case markPlanned:
			h.PlannedAt, h.PlanQueued = a.At, a.Latency
		case markTaken:
			h.Turns = append(h.Turns, Turn{N: a.Attempt - 1, At: a.At, Queued: a.Latency})
		default:
			h.Cells[a.Cell] = append(h.Cells[a.Cell], *a)
			h.in[a.Cell] = append(h.in[a.Cell], len(h.Turns)-1)
		}
	}
	return h
}

// History is a chunk's evidence, by what it is about.
type History struct {
	PlannedAt  time.Time
	PlanQueued time.Duration
	Turns      []Turn
	Cells      map[int][]Attempt

	in map[int][]int
}

// Took returns the turn in which a cell's attempt number i was made; ok is false if it left
// no mark.
func (h *History) Took(cell, i int) (t Turn, ok bool) {
	in := h.in[cell]
	if i >= len(in) || in[i] < 0 {
		return Turn{}, false
	}
	return h.Turns[in[i]], true
}
