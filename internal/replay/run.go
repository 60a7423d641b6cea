package replay

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/telemetry/about"
)

// RunState is where a replay stands.
type RunState string

// The states of a replay.
const (
	RunRunning   RunState = "running"   // to be executed: by Run, or by an executor
	RunPaused    RunState = "paused"    // by an operator
	RunStopped   RunState = "stopped"   // by itself: too many letters failed again
	RunCancelled RunState = "cancelled" // for good; what was sent stays sent
	RunCompleted RunState = "completed" // every letter of its set was looked at
)

// runOp is an operation of an operator, or of the run itself, on a run.
type runOp string

const (
	opPause    runOp = "pause"
	opResume   runOp = "resume"
	opStop     runOp = "stop"
	opCancel   runOp = "cancel"
	opComplete runOp = "complete"
)

// runMoves is the state machine: for each state the legal operations, and the state that
// each leads to. An operator who resumes a stopped run decides to go on all the same: the
// count of refailures begins anew.
//
//nolint:gochecknoglobals // the state machine's table; read-only
var runMoves = map[RunState]map[runOp]RunState{
	RunRunning:   {opPause: RunPaused, opStop: RunStopped, opCancel: RunCancelled, opComplete: RunCompleted},
	RunPaused:    {opResume: RunRunning, opCancel: RunCancelled},
	RunStopped:   {opResume: RunRunning, opCancel: RunCancelled},
	RunCancelled: {},
	RunCompleted: {},
}

// Final reports whether no operation leads out of the state.
func (s RunState) Final() bool { return len(runMoves[s]) == 0 }

// phase is the pass over its letters that a run is in.
type phase string

const (
	phaseCanary phase = "canary" // sends the canary
	phaseWatch  phase = "watch"  // waits for the canary's outcomes
	phaseMain   phase = "main"   // sends the rest
	phaseSettle phase = "settle" // waits for the last outcomes
)

// Run is one replay. Its counts of letters sent and of their outcomes are not
// in it: they are sums over the letters themselves ([Status]).
type Run struct {
	ID         push.ID           `json:"id"`
	State      RunState          `json:"state"`
	Why        string            `json:"why,omitempty"` // of the last change
	By         string            `json:"by,omitempty"`  // who started it
	Simulation push.ID           `json:"simulation"`
	Filter     push.LetterFilter `json:"filter"`
	Total      int64             `json:"total"` // letters of its set, when it was simulated
	Options    Options           `json:"options,omitzero"`
	Edits      predict.Edits     `json:"edits,omitzero"`
	Before     push.Message      `json:"before,omitempty"` // one message as it was, and as it is sent
	After      push.Message      `json:"after,omitempty"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`

	Phase   phase     `json:"phase"`
	PhaseAt time.Time `json:"phase_at"`         // when it began
	Cursor  string    `json:"cursor,omitempty"` // of the pass under way
	// One pass may not be enough: letters whose chunk was in delivery are looked
	// at again in another round.
	Round int `json:"round"`
	Idle  int `json:"idle"` // rounds in a row that sent nothing
	counters

	// Failed and Known are the refailures at the last resume, which no longer count.
	Failed int64 `json:"failed,omitempty"`
	Known  int64 `json:"known,omitempty"`

	// RefailedBy counts the letters that failed again by the code of their last try. It is
	// what its executors have seen: a crash may leave some out, and never counts one twice.
	RefailedBy map[push.Code]int64 `json:"refailed_by,omitempty"`

	Owner string `json:"owner,omitempty"` // who executes it, or did when it died; "" for nobody

	version int64 // of its document
}

// MostRefailed returns the code that most letters failed again with, of several the first in
// the taxonomy; CodeOpen if none did.
func (r *Run) MostRefailed() push.Code {
	most := push.CodeOpen
	for _, code := range slices.Sorted(maps.Keys(r.RefailedBy)) {
		if r.RefailedBy[code] > r.RefailedBy[most] {
			most = code
		}
	}
	return most
}

// about is what lines of the log about the replay say of it.
func (r *Run) about() zap.Field { return about.Replay(r.ID, r.Filter.Tenant) }

// move applies an operation, or returns a *push.StateError.
func (r *Run) move(op runOp, why string, now time.Time) error {
	next, ok := runMoves[r.State][op]
	if !ok {
		legal := make([]string, 0, len(runMoves[r.State]))
		for o := range runMoves[r.State] {
			legal = append(legal, string(o))
		}
		slices.Sort(legal)
		return &push.StateError{ID: r.ID, State: string(r.State), Op: string(op), Legal: legal}
	}
	r.State, r.Why, r.UpdatedAt = next, why, now
	if next.Final() {
		r.EndedAt = now
	}
	return nil
}

// counters count what a round has done up to its cursor.
type counters struct {
	Progress int64 `json:"progress"` // letters sent in this round
	// Skipped counts the letters that this round did not send, by what was found.
	Skipped map[predict.Prediction]int64 `json:"skipped"`
}

func (c *counters) clone() counters {
	return counters{Progress: c.Progress, Skipped: maps.Clone(c.Skipped)}
}

// begin starts the next pass over the letters.
func (r *Run) begin(p phase, now time.Time) {
	r.Phase, r.PhaseAt, r.Round, r.Idle = p, now, 0, 0
	r.again()
}

// again starts another round of the same pass.
func (r *Run) again() {
	r.Cursor, r.counters = "", counters{Skipped: map[predict.Prediction]int64{}}
	r.Round++
}

// Status is a run and the outcomes of its letters.
type Status struct {
	Run

	Tally push.LetterTally
	// Sent is how many letters were sent again; Refailed of Known failed again.
	// Unwatched of those sent are whole messages, which have no known outcome ever.
	Sent, Refailed, Known, Unwatched int64
}

// causes returns the letters that failed again by the code of their last try; they add up
// to Refailed. Where that code is not known, it is the outcome in the ledger.
func (s *Status) causes() map[push.Code]int64 {
	by := map[push.Code]int64{}
	for code, n := range s.Tally.ByOutcome {
		if code.Refailed() && n > 0 {
			by[code] = n
		}
	}
	for code, n := range s.RefailedBy {
		if n = min(n, by[push.CodeAttemptsExhausted]); !code.Refailed() && n > 0 {
			by[code] += n
			by[push.CodeAttemptsExhausted] -= n
		}
	}
	if by[push.CodeAttemptsExhausted] == 0 {
		delete(by, push.CodeAttemptsExhausted)
	}
	return by
}
