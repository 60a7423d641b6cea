package deliver

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// aTurn returns the facts of a turn of four recipients, in a line of five: the
// first one got the message.
func aTurn() facts {
	now := time.Date(2026, 11, 30, 9, 30, 0, 0, time.UTC)
	ref := push.ChunkRef{Notification: "ntf_1"}
	line := ledger.NewLine(ledger.Plan{Ref: ref, Sources: 5, Last: true, Cells: make([]ledger.Cell, 5)}, now)
	line.State, line.Owner, line.Epoch, line.Turn = ledger.StateClaimed, "p1#1", 3, 2
	line.Reserve(0, 4)
	line.Settle(0, push.CodeSent, false)
	line.Settle(4, push.CodeNoDevice, false)
	c := &push.Chunk{Ref: ref, Tenant: "acme", Turn: 2, Attempt: 1, Index: []int{0, 1, 2, 3}}
	for i := range c.Index {
		c.Recipients = append(c.Recipients, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token([]byte{'a' + byte(i)})}})
	}
	return facts{chunk: c, line: line, now: now, elapsed: time.Hour, deadline: now.Add(24 * time.Hour), maxAttempts: 3}
}

// codesOf returns the outcomes of a line's cells.
func codesOf(l *ledger.Line) (codes []push.Code) {
	for _, c := range l.Cells {
		codes = append(codes, c.Code())
	}
	return codes
}

func failed(row int, code push.Code) result { return result{row: row, code: code} }

// restOf is what matters of a message.
type restOf struct {
	Index, Attempts []int
	Turn, Attempt   int
	Tried           int
	Code            push.Code
	Wait, Later     time.Duration // on the queue, and what the chunk says is left after that
	Since           bool
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const (
		open = push.CodeOpen
		sent = push.CodeSent
		none = push.CodeNoDevice
		dead = push.CodeAttemptsExhausted
		away = push.CodeFCMUnavailable
		bad  = push.CodePayloadInvalid
	)
	held := func(code push.Code, scattered bool) *push.Holds {
		return &push.Holds{push.PartUnknown: {Code: code, Scattered: scattered}}
	}
	for _, c := range []struct {
		name    string
		given   func(f *facts)
		codes   []push.Code // by cell
		state   ledger.State
		turn    int
		letters []push.Code // what the letters are about
		rest    *restOf
	}{
		{
			name: "all are done", given: func(f *facts) {
				for cell := range 4 {
					f.line.Settle(cell, sent, false)
				}
			},
			codes: []push.Code{sent, sent, sent, sent, none}, state: ledger.StateClosed, turn: 2,
		},
		{
			name: "nobody was tried", given: func(f *facts) { f.why = stopDrained },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1},
		},
		{
			name:  "put off by the breaker",
			given: func(f *facts) { f.retry.postpone(f.elapsed + 90*time.Second); f.chunk.Since = f.now.Add(-time.Minute) },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1, Wait: 90 * time.Second},
		},
		{
			name: "one failed", given: func(f *facts) { f.retry.again(2, 2, away, f.elapsed+1500*time.Millisecond) },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{
				Index: []int{1, 2, 3}, Attempts: []int{1, 2, 1}, Turn: 3, Attempt: 2, Tried: 1, Code: away, Wait: 2 * time.Second, Since: true,
			},
		},
		{
			name: "a wait longer than the queue's", given: func(f *facts) { f.retry.postpone(f.elapsed + time.Hour) },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1, Wait: worker.MaxDelay, Later: time.Hour - worker.MaxDelay + time.Millisecond},
		},
		{
			name:  "a wait until after the deadline",
			given: func(f *facts) { f.retry.postpone(f.elapsed + time.Hour); f.deadline = f.now.Add(time.Minute) },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1, Wait: time.Minute},
		},
		{
			name: "others have an open one", given: func(f *facts) { f.chunk.Index, f.chunk.Recipients = f.chunk.Index[:3], f.chunk.Recipients[:3] },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 2,
			rest: &restOf{Index: []int{1, 2}, Turn: 2, Attempt: 1},
		},
		{
			name:  "others have all that are open",
			given: func(f *facts) { f.chunk.Index, f.chunk.Recipients = f.chunk.Index[:1], f.chunk.Recipients[:1] },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 2,
		},
		{
			name: "expired", given: func(f *facts) { f.why = stopExpired; f.dead = []result{failed(2, away)} },
			codes: []push.Code{sent, push.CodeExpired, dead, push.CodeExpired, none}, state: ledger.StateClosed, turn: 2, letters: []push.Code{dead},
		},
		{
			name: "cancelled", given: func(f *facts) { f.why = stopCancelled },
			codes: []push.Code{sent, push.CodeCancelled, push.CodeCancelled, push.CodeCancelled, none}, state: ledger.StateClosed, turn: 2,
		},
		{
			name: "paused", given: func(f *facts) { f.why = stopPaused },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateParked, turn: 2,
		},
		{
			name: "given up and poison", given: func(f *facts) { f.dead = []result{failed(3, away), failed(1, push.CodePoison), failed(2, away)} },
			codes: []push.Code{sent, push.CodePoison, dead, dead, none}, state: ledger.StateClosed, turn: 2,
			letters: []push.Code{dead, push.CodePoison},
		},
		{
			name: "their letters can't be sent", given: func(f *facts) {
				f.dead, f.unsent = []result{failed(1, push.CodePoison), failed(2, away), failed(3, away)}, []push.Code{dead}
			},
			codes: []push.Code{sent, push.CodePoison, open, open, none}, state: ledger.StateWaiting, turn: 3,
			letters: []push.Code{dead, push.CodePoison},
			rest:    &restOf{Index: []int{2, 3}, Turn: 3, Attempt: 4, Tried: 2, Code: away, Wait: retryPause, Since: true},
		},
		{
			name: "given up, but it has an outcome by now", given: func(f *facts) { f.dead = []result{failed(0, away)} },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1},
		},
		{
			name: "held", given: func(f *facts) { f.held = held(bad, false) },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateParked, turn: 2,
		},
		{
			name: "held after that refusal, others are not", given: func(f *facts) {
				f.held, f.refused = held(bad, true), []refusal{{1, bad, true}}
			},
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1},
		},
		{
			name: "a refusal of which nothing is known comes again", given: func(f *facts) {
				f.held, f.refused = &push.Holds{}, []refusal{{1, bad, true}, {2, bad, false}}
			},
			codes: []push.Code{sent, open, bad, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 3}, Turn: 3, Attempt: 1, Code: bad, Wait: secondLook},
		},
		{
			name: "but not twice", given: func(f *facts) {
				f.held, f.refused, f.chunk.LastCode = &push.Holds{}, []refusal{{1, bad, true}, {2, bad, true}, {3, bad, true}}, bad
			},
			codes: []push.Code{sent, bad, bad, bad, none}, state: ledger.StateClosed, turn: 2,
		},
		{
			name: "a verdict could not be written", given: func(f *facts) { f.held, f.unwritten = &push.Holds{}, true },
			codes: []push.Code{sent, open, open, open, none}, state: ledger.StateWaiting, turn: 3,
			rest: &restOf{Index: []int{1, 2, 3}, Turn: 3, Attempt: 1, Wait: retryPause},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, before := aTurn(), aTurn()
			c.given(&f)
			c.given(&before)
			e := decide(&f)
			if diff := cmp.Diff(before.line, f.line); diff != "" {
				t.Errorf("decide changed what it was given (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.codes, codesOf(&e.next)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if e.next.State != c.state || e.next.Turn != c.turn || e.next.Owner != "" || e.line.State != ledger.StateClaimed ||
				e.line.Owner != "p1#1" {
				t.Errorf("left %s at turn %d by %q, held as %s by %q", e.next.State, e.next.Turn, e.next.Owner, e.line.State, e.line.Owner)
			}
			var letters []push.Code
			for _, b := range e.givenUp {
				letters = append(letters, b.end)
			}
			if diff := cmp.Diff(c.letters, letters, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.rest, seen(&f, &e)); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// seen returns what matters of the message of an ending.
func seen(f *facts, e *ending) *restOf {
	if e.rest == nil {
		return nil
	}
	c := &e.rest.chunk
	r := &restOf{
		Index: c.Index, Attempts: c.Attempts, Turn: c.Turn, Attempt: c.Attempt, Tried: e.rest.tried, Code: c.LastCode, Wait: e.rest.wait,
		Later: c.Wait,
	}
	r.Since = c.Since.Equal(f.now)
	return r
}

// TestDecideSuspects: a turn in which nobody died clears the line of suspicion; who
// is left of the suspects is reserved for the next owner, unless the poison is found.
func TestDecideSuspects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		suspects []int
		poison   bool
		deaths   int
		reserved [2]int
	}{
		{"none", nil, false, 0, [2]int{0, 0}},
		{"two of them", []int{2, 3}, false, 4, [2]int{2, 4}},
		{"the poison", []int{2}, true, 4, [2]int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := aTurn()
			f.line.Vanished, f.suspects, f.poison = 4, c.suspects, c.poison
			e := decide(&f)
			for cell := range e.next.Cells {
				if want := cell >= c.reserved[0] && cell < c.reserved[1]; e.next.Reserves(cell) != want {
					t.Errorf("cell %d is reserved: %t", cell, !want)
				}
			}
			if e.next.Vanished != c.deaths {
				t.Errorf("%d deaths, want %d", e.next.Vanished, c.deaths)
			}
		})
	}
}
