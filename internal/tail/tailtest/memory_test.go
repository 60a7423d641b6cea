package tailtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/tail/tailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	tailtest.Run(t, func(*testing.T) document.Store { return &documenttest.Memory{} })
}
