package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// TestVanish: deaths are counted of lines that were held, from one owner to the
// next, until a turn goes well.
func TestVanish(t *testing.T) {
	t.Parallel()
	l := planned(0, 0, 0)
	if l.Vanish().Vanished != 0 {
		t.Error("nobody held a planned line")
	}
	now := start()
	for deaths := range SuspectAfter {
		if l.Suspected() {
			t.Errorf("suspected after %d deaths", deaths)
		}
		now = now.Add(time.Minute)
		held, err := l.Claim("owner", 0, now)
		if err != nil || held.Vanished != deaths || held.Reserved != 0 {
			t.Fatalf("claim %d: %+v, %v", deaths, held, err)
		}
		l = held.Vanish()
	}
	if !l.Suspected() {
		t.Errorf("not suspected after %d deaths", l.Vanished)
	}
	if back := l.HandBack(StateWaiting, 1, now); back.Vanished != SuspectAfter || back.Vanish().Vanished != SuspectAfter {
		t.Errorf("handed back: %+v", back)
	}
	for i := range l.Cells {
		l.Settle(i, push.CodeSent, false)
	}
	if closed := l.Close(now); closed.Vanished != 0 {
		t.Errorf("closed: %+v", closed)
	}
}

// TestReservedRange: just the open cells of the range were under way, and just
// they are flagged.
func TestReservedRange(t *testing.T) {
	t.Parallel()
	l, err := planned(0, 0, Cell(push.CodeSent), 0, 0, 0).Claim("owner", 0, start())
	if err != nil {
		t.Fatal(err)
	}
	l.Reserve(1, 5)
	var underWay []int
	for i := range l.Cells {
		if l.UnderWay(i) {
			underWay = append(underWay, i)
		}
	}
	if want := []int{1, 3, 4}; !slices.Equal(underWay, want) {
		t.Errorf("under way are %v, want %v", underWay, want)
	}
	next, err := l.Claim("next", 0, start().Add(time.Minute))
	if want := []Cell{0, 0x80, 1, 0x80, 0x80, 0}; err != nil || !slices.Equal(next.Cells, want) || next.ReservedFrom != 0 || next.Reserved != 0 {
		t.Errorf("%+v, %v; want cells %v", next, err, want)
	}
	back := l.HandBack(StateWaiting, 1, start())
	back.Reserve(1, 5)
	if back.UnderWay(1) || !back.Reserves(1) {
		t.Error("in a line that waits, nothing is under way")
	}
	if again, err := back.Claim("next", 1, start()); err != nil || again.Cells[1] != 0 {
		t.Errorf("%+v, %v: flagged without a send", again, err)
	}
}
