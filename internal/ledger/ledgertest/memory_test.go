package ledgertest_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
)

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &ledgertest.Memory{}
	ledgertest.Run(t, func(*testing.T) ledgertest.Store { return store }, ledgertest.Features{})
}

// TestConformanceAround holds the decorator to the contract while it does nothing.
func TestConformanceAround(t *testing.T) {
	t.Parallel()
	store := ledgertest.Around{Store: &ledgertest.Memory{}, Do: func(_ string, effect func() error) error { return effect() }}
	ledgertest.Run(t, func(*testing.T) ledgertest.Store { return store }, ledgertest.Features{})
}

// TestConformanceSaves holds the decorator to the contract while it does nothing.
func TestConformanceSaves(t *testing.T) {
	t.Parallel()
	store := &ledgertest.Saves{Store: &ledgertest.Memory{}}
	ledgertest.Run(t, func(*testing.T) ledgertest.Store { return store }, ledgertest.Features{})
}
