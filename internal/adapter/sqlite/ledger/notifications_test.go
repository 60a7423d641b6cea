package ledger

import (
	"errors"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

func TestCursorWithoutATime(t *testing.T) {
	t.Parallel()
	_, _, err := openStore(t).Notifications(t.Context(), "tenant", rows.Cursor("notifications", "noon", "ntf_1"), 10)
	if !errors.Is(err, push.ErrCursor) {
		t.Errorf("a cursor without a time: %v", err)
	}
}
