package dispatcher

import (
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
)

// TestShares holds that each lane gets its own settings.
func TestShares(t *testing.T) {
	t.Parallel()
	want := []laneShare{{push.LaneBulk, 4, 5, 0}, {push.LaneHigh, 1, 2, 3}, {push.LaneReplay, 6, 7, 0}}
	got := shares(config.Lanes{HighChunks: 1, HighWindow: 2, HighRetries: 3, BulkChunks: 4, BulkWindow: 5, ReplayChunks: 6, ReplayWindow: 7})
	if !slices.Equal(got, want) {
		t.Errorf("shares %+v, want %+v", got, want)
	}
}
