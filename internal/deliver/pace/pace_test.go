package pace_test

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/pace"
)

// TestExpectation: a chunk is expected to be sent as fast as the others of late, and
// no faster than its share of what the credential may send.
func TestExpectation(t *testing.T) {
	t.Parallel()
	p := pace.New(100*time.Millisecond, 50)
	if got := p.Begin(1000); got != 1000 {
		t.Errorf("the first chunk: %v", got)
	}
	if got := p.Begin(1000); got != 500 {
		t.Errorf("the second chunk: %v", got)
	}
	p.Took(1, time.Nanosecond) // says nothing
	p.Took(100, time.Second)
	p.End()
	if got := p.Begin(1000); got != 100 {
		t.Errorf("after a chunk of 100 a second: %v", got)
	}
}

// TestAhead: what is reserved follows the pace and the time of a write; at a slow pace
// it is nothing, at a fast one a checkpoint's results.
func TestAhead(t *testing.T) {
	t.Parallel()
	p := pace.New(100*time.Millisecond, 50)
	for perSecond, want := range map[float64]int{1: 0, 100: 11, 1e6: 50} {
		if got := p.Ahead(perSecond); got != want {
			t.Errorf("%v a second: %d ahead, want %d", perSecond, got, want)
		}
	}
	if got := p.First(100, 5); got != 11+5 {
		t.Errorf("first reservation: %d", got)
	}
	for range 50 {
		p.Wrote(100 * time.Millisecond) // the ledger has become slow
	}
	if got := p.Ahead(100); got < 29 || got > 30 {
		t.Errorf("with a slow ledger: %d ahead", got)
	}
}

// TestSpeed: the speed follows what was measured, averaged over the time given.
func TestSpeed(t *testing.T) {
	t.Parallel()
	s := pace.NewSpeed(100, 0, time.Second)
	if got := s.Look(0, 0); got != 100 {
		t.Errorf("before anything was measured: %v", got)
	}
	if got := s.Look(150, 500*time.Millisecond); got != 200 {
		t.Errorf("half a second at 300: %v", got)
	}
	if got := s.Look(150, 1500*time.Millisecond); got != 0 {
		t.Errorf("a second at 0: %v", got)
	}
}
