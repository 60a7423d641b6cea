package dynamo

import (
	"errors"
	"net"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

func TestPulse(t *testing.T) {
	t.Parallel()
	s := newTables(t).store()
	for range 2 {
		if err := s.Pulse(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Notification(t.Context(), "pulse"); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a pulse left something behind: %v", err)
	}
}

// What keeps writes away keeps a pulse away.
func TestPulseOfASickTable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]canned{
		"throttled": fault(400, "ProvisionedThroughputExceededException", ""), "down": fault(500, "InternalServerError", ""),
		"denied": fault(400, "AccessDeniedException", ""), "no table": fault(400, "ResourceNotFoundException", ""),
		"away": {err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}},
	} {
		if err := cannedStore(c, nil).Pulse(t.Context()); err == nil {
			t.Errorf("%s: it has a pulse", name)
		}
	}
}
