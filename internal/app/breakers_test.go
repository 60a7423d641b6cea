package app

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/guard"
)

// What one process notes of a breaker another reads; a late note of an earlier
// change changes nothing.
func TestBreakersAreNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	dispatcher, replayer := &breakers{docs: b.Store(), log: zap.NewNop()}, &breakers{docs: b.Store(), log: zap.NewNop()}
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	until := at.Add(time.Minute)
	opened := guard.Change{Credential: "belfry-sandbox", From: guard.BreakerClosed, To: guard.BreakerOpen, At: at, Until: until}
	closed := guard.Change{Credential: "belfry-sandbox", From: guard.BreakerHalfOpen, To: guard.BreakerClosed, At: at.Add(2 * time.Minute)}
	other := guard.Change{Credential: "older", From: guard.BreakerHalfOpen, To: guard.BreakerOpen, At: at, Until: at.Add(time.Second)}
	for i, step := range []struct {
		change guard.Change
		want   time.Time
	}{
		{other, other.Until},
		{opened, until},
		{closed, other.Until},
		{opened, other.Until}, // it was written late
	} {
		dispatcher.note(t.Context(), step.change)
		if got, err := replayer.OpenUntil(t.Context(), "default"); err != nil || !got.Equal(step.want) {
			t.Errorf("step %d: open until %v (%v), want %v", i, got, err, step.want)
		}
	}
}

func TestBreakersNobodyNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	none := &breakers{docs: b.Store(), log: zap.NewNop()}
	if got, err := none.OpenUntil(t.Context(), "default"); err != nil || !got.IsZero() {
		t.Errorf("open until %v (%v)", got, err)
	}
	_ = b.Close()
	if _, err := none.OpenUntil(t.Context(), "default"); err == nil {
		t.Error("a store that is away is not told")
	}
}
