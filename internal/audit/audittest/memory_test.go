package audittest_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
)

func TestConformanceMemory(t *testing.T) {
	t.Parallel()
	store := &audittest.Memory{}
	audittest.Run(t, func(*testing.T) audit.Store { return store }, audittest.Features{})
}
