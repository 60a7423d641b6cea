package letterstest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/letters/letterstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &letterstest.Memory{}
	letterstest.Run(t, func(*testing.T) letterstest.Store { return store }, letterstest.Features{})
}
