package replaytest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/replay/replaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &replaytest.Memory{}
	replaytest.Run(t, func(*testing.T) replaytest.Store { return store }, replaytest.Features{})
}
