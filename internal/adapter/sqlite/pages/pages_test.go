package pages

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestRemovalSaysWhatFailed: the sweep of old pages logs what it is told.
func TestRemovalSaysWhatFailed(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ended, end := context.WithCancel(t.Context())
	end()
	const id = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	if _, _, err := s.PageOwners(ended, 0, 10); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "list old pages") {
		t.Errorf("PageOwners: %v", err)
	}
	if n, err := s.RemovePages(ended, id, 10); n != 0 || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), id) {
		t.Errorf("RemovePages: %d, %v", n, err)
	}
	if n, err := s.RemovePages(t.Context(), id, 10); n != 0 || err != nil {
		t.Errorf("RemovePages of nobody's pages: %d, %v", n, err)
	}
}
