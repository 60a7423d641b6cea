package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

func start() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }

func planned(cells ...Cell) Line {
	return NewLine(Plan{Ref: push.ChunkRef{Notification: "ntf_1", Seq: 7}, Tenant: "t", Sources: len(cells), Cells: cells}, start())
}

// Numbers and bits are in every stored line.
func TestStorageFormat(t *testing.T) {
	t.Parallel()
	for state, name := range map[State]string{0: "planned", 1: "claimed", 2: "waiting", 3: "parked", 4: "closed", 5: "State(5)"} {
		if got := state.String(); got != name {
			t.Errorf("state %d is %q, want %q", uint8(state), got, name)
		}
	}
	for _, c := range []struct {
		code  push.Code
		twice bool
		want  Cell
	}{
		{push.CodeOpen, false, 0x00},
		{push.CodeOpen, true, 0x80},
		{push.CodeSent, false, 0x01},
		{push.CodeSent, true, 0x81},
		{push.CodePoison, true, 0xe7},
	} {
		cell := CellOf(c.code, c.twice)
		if cell != c.want || cell.Code() != c.code || cell.PossibleDuplicate() != c.twice || cell.Open() != (c.code == push.CodeOpen) {
			t.Errorf("cell of %s, %v is %#x, want %#x", c.code, c.twice, uint8(cell), uint8(c.want))
		}
	}
}

func TestNewLine(t *testing.T) {
	t.Parallel()
	p := Plan{Ref: push.ChunkRef{Notification: "ntf_1"}, Sources: 9, Last: true, Cells: []Cell{0, CellOf(push.CodeDuplicate, false)}}
	l := NewLine(p, start())
	if l.State != StatePlanned || l.OpenCount() != 1 || l.Sources != 9 || !l.Last || l.Epoch != 0 || !l.UpdatedAt.Equal(start()) {
		t.Errorf("a new line is %+v", l)
	}
	l.Cells[0] = CellOf(push.CodeSent, false)
	if !p.Cells[0].Open() {
		t.Error("the line shares its cells with the plan")
	}
	if l := planned(CellOf(push.CodeNoDevice, false)); l.State != StateClosed {
		t.Errorf("a line with nothing open is %s", l.State)
	}
	if l := planned(); l.State != StateClosed {
		t.Errorf("a line of nobody is %s", l.State)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	held := func(change func(l *Line)) Line {
		l := planned(0, CellOf(push.CodeSent, false), 0, 0)
		l.Epoch, l.Owner, l.State, l.Turn, l.Reserved = 5, "first", StateClaimed, 2, 3
		if change != nil {
			change(&l)
		}
		return l
	}
	open, twice, sent := Cell(0), maybeTwice, CellOf(push.CodeSent, false)
	for _, c := range []struct {
		name  string
		line  Line
		owner string
		turn  int
		after time.Duration
		want  error
		cells []Cell
	}{
		{"planned", planned(0, 0), "second", 0, 0, nil, []Cell{open, open}},
		{"from a vanished owner", held(nil), "second", 2, FreshFor, nil, []Cell{twice, sent, twice, open}},
		{"from itself", held(nil), "first", 2, 0, nil, []Cell{twice, sent, twice, open}},
		{"from a live owner", held(nil), "second", 2, FreshFor - 1, ErrBusy, nil},
		{"by a stale message", held(nil), "second", 1, time.Hour, ErrStale, nil},
		{"by a newer message", held(nil), "second", 3, FreshFor, nil, []Cell{twice, sent, twice, open}},
		{"waiting", held(func(l *Line) { l.State = StateWaiting }), "second", 2, 0, nil, []Cell{open, sent, open, open}},
		{"parked", held(func(l *Line) { l.State = StateParked }), "second", 2, 0, nil, []Cell{open, sent, open, open}},
		{"closed", held(func(l *Line) { l.State = StateClosed }), "second", 2, time.Hour, ErrClosed, nil},
		{"a reservation beyond the end", held(func(l *Line) { l.Reserved = 99 }), "second", 2, FreshFor, nil, []Cell{twice, sent, twice, twice}},
		{"no reservation", held(func(l *Line) { l.Reserved = 0 }), "second", 2, FreshFor, nil, []Cell{open, sent, open, open}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(c.line.Cells)
			now := start().Add(c.after)
			got, err := c.line.Claim(c.owner, c.turn, now)
			if !errors.Is(err, c.want) {
				t.Fatalf("error is %v, want %v", err, c.want)
			}
			if !slices.Equal(c.line.Cells, before) {
				t.Error("the claim changed the line that was read")
			}
			if err != nil {
				return
			}
			if !slices.Equal(got.Cells, c.cells) {
				t.Errorf("cells are %x, want %x", got.Cells, c.cells)
			}
			if got.Epoch != c.line.Epoch+1 || got.Owner != c.owner || got.State != StateClaimed || got.Reserved != 0 ||
				!got.UpdatedAt.Equal(now) || got.Turn != c.line.Turn {
				t.Errorf("claimed as %+v", got)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	l := planned(0, 0, 0)
	for _, c := range []struct {
		name  string
		cell  int
		code  push.Code
		twice bool
		done  bool
		want  Cell
	}{
		{"an outcome", 0, push.CodeSent, false, true, CellOf(push.CodeSent, false)},
		{"a second one", 0, push.CodeFCMUnregistered, true, false, CellOf(push.CodeSent, false)},
		{"a retryable code is none", 1, push.CodeFCMUnavailable, true, false, 0},
		{"nor is open", 1, push.CodeOpen, true, false, 0},
		{"nor an unknown number", 1, 99, false, false, 0},
		{"a possible duplicate", 1, push.CodeSent, true, true, CellOf(push.CodeSent, true)},
	} {
		if done := l.Settle(c.cell, c.code, c.twice); done != c.done || l.Cells[c.cell] != c.want {
			t.Errorf("%s: %v, cell %#x, want %#x", c.name, done, uint8(l.Cells[c.cell]), uint8(c.want))
		}
	}
	l.MarkAmbiguous(0)
	l.MarkAmbiguous(2)
	if l.Cells[0].PossibleDuplicate() || !l.Cells[2].PossibleDuplicate() || !l.Cells[2].Open() {
		t.Errorf("marked as %x", l.Cells)
	}
	l.Settle(2, push.CodeSent, false)
	if l.Cells[2] != CellOf(push.CodeSent, true) {
		t.Errorf("an earlier ambiguous attempt is forgotten: %#x", uint8(l.Cells[2]))
	}
}

func TestHandBackAndClose(t *testing.T) {
	t.Parallel()
	l := planned(0)
	l, err := l.Claim("owner", 0, start())
	if err != nil {
		t.Fatal(err)
	}
	l.Reserved = 1
	later := start().Add(time.Minute)
	back := l.HandBack(StateWaiting, 1, later)
	if back.State != StateWaiting || back.Turn != 1 || back.Owner != "" || back.Reserved != 0 || back.Epoch != l.Epoch ||
		!back.UpdatedAt.Equal(later) {
		t.Errorf("handed back as %+v", back)
	}
	l.Settle(0, push.CodeSent, false)
	closed := l.Close(later)
	if closed.State != StateClosed || closed.Owner != "" || closed.Reserved != 0 || !closed.UpdatedAt.Equal(later) {
		t.Errorf("closed as %+v", closed)
	}
	defer func() {
		if recover() == nil {
			t.Error("a line with an open cell was closed")
		}
	}()
	back.Cells = []Cell{0}
	back.Close(later)
}
