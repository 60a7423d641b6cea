package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Marks are told apart from attempts, and each attempt is told its turn.
func TestSplit(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	early := ledger.Attempt{Cell: 3, Attempt: 1, Code: push.CodeNetTimeout, At: at(1)} // of a program that leaves no marks
	first := ledger.Attempt{Cell: 3, Attempt: 2, Code: push.CodeFCMInternal, At: at(6)}
	second := ledger.Attempt{Cell: 3, Attempt: 3, Code: push.CodeSent, At: at(21)}
	h := ledger.Split([]ledger.Attempt{
		early, ledger.Planned(at(4), at(2)), ledger.Taken(1, at(5), time.Time{}), first, ledger.Taken(2, at(20), at(8)), second,
	})
	if h.PlannedAt != at(4) || h.PlanQueued != 2*time.Second {
		t.Errorf("planned %v, after %v", h.PlannedAt, h.PlanQueued)
	}
	if d := cmp.Diff(map[int][]ledger.Attempt{3: {early, first, second}}, h.Cells); d != "" {
		t.Error(d)
	}
	want := []ledger.Turn{{N: 1, At: at(5)}, {N: 2, At: at(20), Queued: 12 * time.Second}}
	if d := cmp.Diff(want, h.Turns); d != "" {
		t.Error(d)
	}
	for i, turn := range append([]ledger.Turn{{}}, want...) {
		if got, ok := h.Took(3, i); got != turn || ok != (i > 0) {
			t.Errorf("attempt %d was made in %+v, %v", i, got, ok)
		}
	}
	if _, ok := h.Took(4, 0); ok {
		t.Error("a cell without attempts has a turn")
	}
}

// No rule about attempts takes a mark for one, or for a replay's.
func TestMarksAreNoAttempts(t *testing.T) {
	t.Parallel()
	marks := []ledger.Attempt{ledger.Planned(time.Unix(4, 0), time.Unix(2, 0)), ledger.Taken(0, time.Unix(5, 0), time.Time{})}
	for i := range marks {
		if _, is := marks[i].ReopenedBy(); is || marks[i].Decided() || !marks[i].OfChunk() || marks[i].Cell < push.MaxChunkRecipients {
			t.Errorf("%+v is more than a mark", marks[i])
		}
	}
	if n := len(ledger.LastReopened(marks)); n != 0 {
		t.Errorf("%d cells are reopened", n)
	}
	if tries, code := ledger.Tries(marks, []int{0, 1}); tries != nil || code != push.CodeOpen {
		t.Errorf("tries %v, %v", tries, code)
	}
}
