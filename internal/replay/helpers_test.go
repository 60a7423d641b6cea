package replay

import (
	"errors"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// at returns a time n minutes after the tests' epoch.
func at(n int) time.Time {
	return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func outgoing(body string) worker.Outgoing { return worker.Outgoing{Body: []byte(body), Group: "acme"} }

// wantError checks an error against a sentinel, or any push.Faults.
func wantError(t *testing.T, got, want error) {
	t.Helper()
	if _, faults := errors.AsType[push.Faults](want); faults {
		if _, ok := errors.AsType[push.Faults](got); !ok {
			t.Errorf("error is %v, want faults", got)
		}
		return
	}
	if !errors.Is(got, want) {
		t.Errorf("error is %v, want %v", got, want)
	}
}
