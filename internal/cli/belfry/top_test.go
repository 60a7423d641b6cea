package belfry

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// What belfry top tells people to type is a command of this program.
func TestCommandsOfTop(t *testing.T) {
	t.Parallel()
	screens, err := os.ReadFile("../top/testdata/screens-160x50.txt")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing of it is done
	lines := clitest.CommandsOf(string(screens), "belfry")
	if len(lines) < 4 {
		t.Errorf("only %q", lines)
	}
	for _, line := range lines {
		if r := belfry(ctx, "http://127.0.0.1:1", strings.NewReader(""), strings.Fields(line)...); r.Code == display.ExitUsage {
			t.Errorf("belfry %s: %s", line, r.Err)
		}
	}
}
