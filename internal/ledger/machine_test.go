package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

const machineCells = 5

// machine is one chunk in a world where everything happens at the worst time:
// owners claim, reserve, send, checkpoint, hand back, stall and vanish in any
// order, and a message may be there twice.
type machine struct {
	now    time.Time
	stored Line
	owners map[string]*Line // what each living owner believes; it may have lost its claim long ago
	turns  []int            // messages on the queue, which never quite go away

	delivered [machineCells]int  // how often FCM may have delivered
	excused   [machineCells]bool // may be flagged, because something uncertain happened
}

// save is what every driver does.
func (m *machine) save(l Line, fromEpoch int64) bool {
	if m.stored.Epoch != fromEpoch || m.stored.State == StateClosed {
		return false
	}
	l.Cells = slices.Clone(l.Cells)
	m.stored = l
	return true
}

// checkpoint saves what an owner knows; a fenced one learns that it lost.
func (m *machine) checkpoint(owner string) bool {
	l := m.owners[owner]
	l.UpdatedAt = m.now
	if m.save(*l, l.Epoch) {
		return true
	}
	delete(m.owners, owner)
	return false
}

func (m *machine) owner(t *rapid.T) string {
	var names []string
	for name := range m.owners {
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Skip("nobody owns the line")
	}
	slices.Sort(names)
	return rapid.SampledFrom(names).Draw(t, "owner")
}

func (m *machine) claim(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "claimant")
	turn := rapid.SampledFrom(m.turns).Draw(t, "turn")
	if rapid.Bool().Draw(t, "later") {
		m.now = m.now.Add(FreshFor)
	}
	before := m.stored
	next, err := before.Claim(name, turn, m.now)
	switch {
	case before.State == StateClosed:
		m.want(t, err, ErrClosed)
	case turn < before.Turn:
		m.want(t, err, ErrStale)
	case before.State == StateClaimed && before.Owner != name && m.now.Sub(before.UpdatedAt) < FreshFor:
		m.want(t, err, ErrBusy)
	default:
		m.want(t, err, nil)
		m.checkFlags(t, before, next)
		if !m.save(next, before.Epoch) {
			t.Fatal("a claim of the line just read was fenced")
		}
		m.owners[name] = &next
	}
}

func (m *machine) want(t *rapid.T, got, want error) {
	if !errors.Is(got, want) {
		t.Fatalf("claim of %+v: %v, want %v", m.stored, got, want)
	}
}

// checkFlags holds a takeover to flagging exactly what the last owner may have
// sent.
func (m *machine) checkFlags(t *rapid.T, before, after Line) {
	for i := range before.Cells {
		maySend := before.State == StateClaimed && before.ReservedFrom <= i && i < before.Reserved && before.Cells[i].Open()
		if maySend {
			m.excused[i] = true
		}
		if want := before.Cells[i].PossibleDuplicate() || maySend; after.Cells[i].PossibleDuplicate() != want {
			t.Fatalf("cell %d is flagged: %v, want %v; reserved %d of %x", i, !want, want, before.Reserved, before.Cells)
		}
	}
}

func (m *machine) reserve(t *rapid.T) {
	name := m.owner(t)
	from := rapid.IntRange(0, machineCells).Draw(t, "reserved from") // what was under way has been answered by then
	m.owners[name].Reserve(from, rapid.IntRange(from, machineCells).Draw(t, "reserved"))
	m.checkpoint(name)
}

// send is one attempt by an owner that believes in its reservation, whether or
// not it still holds the line.
func (m *machine) send(t *rapid.T) {
	name := m.owner(t)
	l := m.owners[name]
	i := rapid.IntRange(0, machineCells-1).Draw(t, "cell")
	if !l.Cells[i].Open() {
		t.Skip("not open")
	}
	if !l.Reserves(i) {
		l.Reserve(min(l.ReservedFrom, i), max(l.Reserved, i+1))
		if !m.checkpoint(name) {
			return
		}
	}
	code := rapid.SampledFrom([]push.Code{
		push.CodeSent, push.CodeFCMUnregistered, push.CodeNetRefused, push.CodeNetTimeout,
	}).Draw(t, "answer")
	if code == push.CodeSent || code.MaybeDelivered() {
		m.delivered[i]++
	}
	if code.MaybeDelivered() {
		m.excused[i] = true
		l.MarkAmbiguous(i)
	}
	if l.Settle(i, code, false) != code.Terminal() {
		t.Fatalf("settling an open cell with %s", code)
	}
	if rapid.Bool().Draw(t, "checkpoint") {
		m.checkpoint(name)
	}
}

func (m *machine) handBack(t *rapid.T) {
	name := m.owner(t)
	to := rapid.SampledFrom([]State{StateWaiting, StateParked}).Draw(t, "to")
	back := m.owners[name].HandBack(to, m.owners[name].Turn+1, m.now)
	m.owners[name] = &back
	if m.checkpoint(name) {
		m.turns = append(m.turns, back.Turn)
	}
	delete(m.owners, name)
}

// recall takes the line for a message that is thought lost, whether it is or not.
func (m *machine) recall(t *rapid.T) {
	before := m.stored
	next, err := before.Recall(m.now)
	switch {
	case before.State == StateClosed:
		m.want(t, err, ErrClosed)
		return
	case before.State == StateClaimed && m.now.Sub(before.UpdatedAt) < FreshFor:
		m.want(t, err, ErrBusy)
		return
	}
	m.want(t, err, nil)
	m.checkFlags(t, before, next)
	if next.State != StateWaiting || next.Turn <= before.Turn || !m.save(next, before.Epoch) {
		t.Fatalf("%+v was recalled as %+v", before, next)
	}
	m.turns = append(m.turns, next.Turn)
	if rapid.Bool().Draw(t, "the old messages are gone") {
		m.turns = []int{next.Turn}
	}
}

// conclude ends the line without another send.
func (m *machine) conclude(t *rapid.T) {
	before := m.stored
	next, err := before.Conclude(push.CodeExpired, rapid.Bool().Draw(t, "at most once"), m.now)
	if err == nil {
		m.checkFlags(t, before, next)
		if !m.save(next, before.Epoch) {
			t.Fatal("a line just read could not be concluded")
		}
	}
}

func (m *machine) closeLine(t *rapid.T) {
	name := m.owner(t)
	if m.owners[name].OpenCount() > 0 {
		t.Skip("something is open")
	}
	closed := m.owners[name].Close(m.now)
	m.owners[name] = &closed
	m.checkpoint(name)
	delete(m.owners, name)
}

// TestAnyInterleaving is promises 1 to 3 for one chunk: one outcome per cell,
// the first; flags on exactly what may have been sent twice; books that balance.
func TestAnyInterleaving(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{now: start(), owners: map[string]*Line{}, turns: []int{0}, stored: planned(make([]Cell, machineCells)...)}
		seen := make([]Cell, machineCells)
		t.Repeat(map[string]func(*rapid.T){
			"claim": m.claim, "reserve": m.reserve, "send": m.send, "hand back": m.handBack, "close": m.closeLine,
			"recall": m.recall, "conclude": m.conclude,
			"checkpoint": func(t *rapid.T) { m.checkpoint(m.owner(t)) },
			"vanish":     func(t *rapid.T) { delete(m.owners, m.owner(t)) },
			"wait":       func(*rapid.T) { m.now = m.now.Add(FreshFor / 2) },
			"":           func(t *rapid.T) { m.invariants(t, seen) },
		})
		m.finish(t)
		m.invariants(t, seen)
	})
}

func (m *machine) invariants(t *rapid.T, seen []Cell) {
	for i, cell := range m.stored.Cells {
		if !seen[i].Open() && cell != seen[i] {
			t.Fatalf("the outcome of cell %d changed from %#x to %#x", i, uint8(seen[i]), uint8(cell))
		}
		seen[i] = cell
		if !cell.Open() && m.delivered[i] > 1 && !cell.PossibleDuplicate() {
			t.Fatalf("cell %d was delivered %d times without a flag", i, m.delivered[i])
		}
		if cell.PossibleDuplicate() && !m.excused[i] {
			t.Fatalf("cell %d is flagged without a reason", i)
		}
		if cell.Code() == push.CodeSent && m.delivered[i] == 0 {
			t.Fatalf("cell %d is sent, but nothing was", i)
		}
	}
	c := m.stored.Tally()
	if err := c.Balance(machineCells); err != nil {
		t.Fatal(err)
	}
	if c.Recipients != machineCells || c.Terminal()+c.ByCode[push.CodeOpen] != machineCells {
		t.Fatalf("%d recipients, %d terminal", c.Recipients, c.Terminal())
	}
}

// finish lets one last owner settle what is open: nothing can be stuck.
func (m *machine) finish(t *rapid.T) {
	if m.stored.State == StateClosed {
		return
	}
	m.now = m.now.Add(FreshFor)
	before := m.stored
	l, err := before.Claim("last", slices.Max(m.turns), m.now)
	if err != nil {
		t.Fatalf("the last owner can't claim %+v: %v", before, err)
	}
	m.checkFlags(t, before, l)
	for i := range l.Cells {
		if l.Settle(i, push.CodeSent, false) {
			m.delivered[i]++
		}
	}
	if !m.save(l, before.Epoch) || !m.save(l.Close(m.now), l.Epoch) || m.stored.OpenCount() != 0 {
		t.Fatal("the last owner could not close the line")
	}
}
