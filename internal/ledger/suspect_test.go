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

// TestTrials: only the deaths of a trial count as alone, a claim and the end of a
// turn end one, and what is left of one is not held against the next turn.
func TestTrials(t *testing.T) {
	t.Parallel()
	l, now := planned(0, 0, 0), start()
	for deaths := range ConvictAfter + 1 {
		held, err := l.Claim("owner", 0, now)
		if err != nil || held.Trial || held.Alone != max(0, deaths-1) {
			t.Fatalf("claim %d: %+v, %v", deaths, held, err)
		}
		held.Trial = deaths > 0
		l = held.Vanish()
		now = now.Add(time.Minute)
		if l.Convicted() != (deaths >= ConvictAfter) {
			t.Errorf("after %d deaths alone: convicted %t", l.Alone, l.Convicted())
		}
	}
	if back := l.HandBack(StateWaiting, 1, now); back.Trial || back.Alone != ConvictAfter || back.Vanish().Alone != ConvictAfter {
		t.Errorf("handed back: %+v", back)
	}
	if l.Clear(); l.Vanished != 0 || l.Alone != 0 || l.Trial {
		t.Errorf("cleared: %+v", l)
	}
}

// TestDeathsAreOneNumber: what stores keep of deaths comes back, and numbers of
// before there were trials mean what they did.
func TestDeathsAreOneNumber(t *testing.T) {
	t.Parallel()
	for _, want := range []Line{{}, {Vanished: 1}, {Vanished: 12, Alone: 3}, {Vanished: 1023, Alone: 1023, Trial: true}, {Trial: true}} {
		var got Line
		if got.SetDeaths(want.Deaths()); got.Vanished != want.Vanished || got.Alone != want.Alone || got.Trial != want.Trial {
			t.Errorf("%+v came back as %+v", want, got)
		}
	}
	for old := range int64(21) {
		var got Line
		if got.SetDeaths(old); got.Vanished != int(old) || got.Alone != 0 || got.Trial || got.Deaths() != old {
			t.Errorf("%d deaths of old are %+v", old, got)
		}
	}
	if l := (Line{Vanished: 5000, Alone: 5000}); l.Deaths() != 1023|1023<<10 {
		t.Errorf("too many are %x", l.Deaths())
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
	if want := []Cell{0, 0x80, 1, 0x80, 0x80, 0}; err != nil || !slices.Equal(next.Cells, want) || next.ReservedFrom != 0 ||
		next.Reserved != 0 {
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
