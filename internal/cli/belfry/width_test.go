package belfry

import (
	"context"
	"testing"

	"github.com/belfry-push/belfry/internal/cli/clitest"
)

func TestHelpAtWidths(t *testing.T) { //nolint:paralleltest // COLUMNS is the process's
	clitest.HelpAtWidths(t, "belfry", &grammar{}, func(args ...string) clitest.Result {
		return belfry(context.Background(), "http://127.0.0.1:8080", nil, args...)
	})
}
