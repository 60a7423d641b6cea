package lock

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Whoever gives up waiting says on one line who has the lock and what SQLite
// said: logs, answers and readiness show it as it is.
func TestGivingUpIsOneSentence(t *testing.T) {
	t.Parallel()
	turn, err := OpenFair(filepath.Join(t.TempDir(), "store.db"), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = turn.Close() }()
	said := errors.New("database is locked (5)")
	err = turn.Pass(t.Context(), func() error { return push.WithOutage(push.OutageBusy, said) })
	if push.OutageOf(err) != push.OutageBusy || !errors.Is(err, said) {
		t.Fatalf("outage %q: %v", push.OutageOf(err), err)
	}
	if text := err.Error(); strings.Contains(text, "\n") || !strings.HasSuffix(text, ": database is locked (5)") {
		t.Errorf("%q", text)
	}
}
