package documenttest_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
)

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &documenttest.Memory{}
	documenttest.Run(t, func(*testing.T) document.Store { return store }, documenttest.Features{})
}
