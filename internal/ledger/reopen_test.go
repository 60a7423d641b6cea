package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

const replayID = "rpl_01890a5d-ac96-774b-bcce-b302099a8057"

// dead returns a closed line: sent, dead, dead and perhaps delivered, expired.
func dead() ledger.Line {
	return ledger.Line{
		Ref: push.ChunkRef{Notification: "ntf_x", Seq: 3}, Tenant: "acme", Sources: 4, Last: true,
		Epoch: 7, State: ledger.StateClosed, Attempt: 5, Turn: 4,
		Cells: []ledger.Cell{
			ledger.CellOf(push.CodeSent, false), ledger.CellOf(push.CodeAttemptsExhausted, false),
			ledger.CellOf(push.CodeAttemptsExhausted, true), ledger.CellOf(push.CodeExpired, false),
		},
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC)
	before := dead()
	got, marks, err := before.Reopen([]int{1, 2}, replayID, now)
	if err != nil {
		t.Fatal(err)
	}
	want := dead()
	want.Epoch, want.Turn, want.State, want.Owner, want.UpdatedAt, want.FirstAt = 8, 5, ledger.StateWaiting, replayID, now, now
	want.Cells[1], want.Cells[2] = ledger.CellOf(push.CodeOpen, false), ledger.CellOf(push.CodeOpen, true)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reopened line (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(dead(), before); diff != "" {
		t.Errorf("the line that was read changed (-want +got):\n%s", diff)
	}
	evidence := append([]ledger.Attempt{
		{Cell: 0, Attempt: 1, Code: push.CodeSent, Detail: "replayed by " + replayID}, // FCM's own words
		{Cell: 3, Detail: "replayed by rpl_other"},
	}, marks...)
	if diff := cmp.Diff(map[int]bool{1: true, 2: true}, ledger.ReopenedBy(evidence, replayID)); diff != "" {
		t.Errorf("cells with a mark (-want +got):\n%s", diff)
	}
	evidence = append(evidence, ledger.Attempt{Cell: 2, Detail: "replayed by rpl_later"})
	if diff := cmp.Diff(map[int]push.ID{1: replayID, 2: "rpl_later", 3: "rpl_other"}, ledger.LastReopened(evidence)); diff != "" {
		t.Errorf("last replays (-want +got):\n%s", diff)
	}
}

func TestTries(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_000)
	mark := func(cell int, replay string, after time.Duration) ledger.Attempt {
		return ledger.Attempt{Cell: cell, At: at.Add(after), Detail: "replayed by " + replay}
	}
	try := func(cell, n int, code push.Code) ledger.Attempt {
		return ledger.Attempt{Cell: cell, Attempt: n, Code: code, At: at}
	}
	evidence := []ledger.Attempt{
		try(0, 1, push.CodeFCMInternal), try(0, 2, push.CodeFCMInternal), try(1, 1, push.CodeNetTimeout), mark(0, "rpl_1", time.Minute),
		try(0, 1, push.CodeFCMUnavailable), mark(0, "rpl_2", time.Hour), mark(1, "rpl_1", 2*time.Hour), try(2, 4, push.CodeFCMInternal),
		mark(2, "rpl_1", time.Hour),
	}
	for _, c := range []struct {
		evidence []ledger.Attempt
		cells    []int
		want     []int
		code     push.Code
	}{
		{nil, []int{0, 1}, nil, push.CodeOpen},
		{evidence[:3], []int{0, 1, 2}, []int{3, 2, 1}, push.CodeNetTimeout},
		{evidence[:5], []int{0, 1}, []int{2, 2}, push.CodeFCMUnavailable},
		{evidence, []int{0}, nil, push.CodeOpen},
		{evidence, []int{0, 1, 2}, nil, push.CodeOpen},
	} {
		if got, code := ledger.Tries(c.evidence, c.cells); !slices.Equal(got, c.want) || code != c.code {
			t.Errorf("after %d entries the cells %v are at %v, last %s; want %v, %s", len(c.evidence), c.cells, got, code, c.want, c.code)
		}
	}
	marks := ledger.LastMark(evidence, "rpl_1")
	if len(marks) != 3 || !marks[0].Equal(at.Add(time.Minute)) || !marks[1].Equal(at.Add(2*time.Hour)) {
		t.Errorf("marks of one replay: %v", marks)
	}
}

func TestReopenRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		line  func(*ledger.Line)
		cells []int
		want  error
	}{
		{"a line in delivery", func(l *ledger.Line) { l.State = ledger.StateWaiting }, []int{1}, ledger.ErrInDelivery},
		{"a delivered recipient", nil, []int{0}, ledger.ErrNotDead},
		{"an expired recipient", nil, []int{1, 3}, ledger.ErrNotDead},
		{"a cell that is not there", nil, []int{4}, ledger.ErrNotDead},
		{"a negative cell", nil, []int{-1}, ledger.ErrNotDead},
		{"one cell twice", nil, []int{1, 1}, ledger.ErrNotDead},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := dead()
			if c.line != nil {
				c.line(&l)
			}
			if _, _, err := l.Reopen(c.cells, replayID, time.Now()); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
		})
	}
}

// A reopened line that is claimed, delivered and closed goes the usual way.
func TestReopenedLineIsDelivered(t *testing.T) {
	t.Parallel()
	now := time.Now()
	line, _, err := dead().Reopen([]int{1}, replayID, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := line.Claim("late", line.Turn-1, now); !errors.Is(err, ledger.ErrStale) {
		t.Errorf("a message of the turn before claims: %v", err)
	}
	line, err = line.Claim("owner", line.Turn, now)
	if err != nil {
		t.Fatal(err)
	}
	if line.Cells[1].PossibleDuplicate() {
		t.Error("claiming a reopened line flags its cells")
	}
	line.Settle(1, push.CodeSent, false)
	line = line.Close(now)
	if c := line.Tally(); c.ByCode[push.CodeSent] != 2 || c.Balance(4) != nil {
		t.Errorf("counts are %+v", c)
	}
}

// What failed for a replay is what was tried behind its mark, and before the next one's.
func TestFailedWith(t *testing.T) {
	t.Parallel()
	mark := func(cell int, replay push.ID) ledger.Attempt {
		return ledger.Attempt{Cell: cell, Detail: "replayed by " + string(replay)}
	}
	evidence := []ledger.Attempt{
		{Cell: 0, Attempt: 8, Code: push.CodeNetDNS},
		{Cell: 1, Attempt: 8, Code: push.CodeNetDNS},
		{Cell: 4, Attempt: 8, Code: push.CodeNetDNS},
		mark(0, replayID), mark(1, replayID), mark(2, replayID), mark(3, "rpl_other"),
		{Cell: 0, Attempt: 1, Code: push.CodeFCMInternal},
		{Cell: 0, Attempt: 2, Code: push.CodeFCMUnavailable},
		{Cell: 0, Code: push.CodePoison},
		{Cell: 1, Attempt: 1, Code: push.CodeFCMInternal},
		{Cell: 3, Attempt: 1, Code: push.CodeNetTLS},
		mark(1, "rpl_later"),
		{Cell: 1, Attempt: 1, Code: push.CodeNetTLS},
	}
	want := map[int]push.Code{0: push.CodeFCMUnavailable, 1: push.CodeFCMInternal}
	if diff := cmp.Diff(want, ledger.FailedWith(evidence, replayID)); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}
