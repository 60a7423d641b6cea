package replayer

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// Nothing that a server, a file or an argument says drives the terminal.
func TestNothingDrivesTheTerminal(t *testing.T) {
	t.Parallel()
	api := clitest.HostileAPI(t)
	for _, command := range []string{
		"groups", "groups -o json", "list --state parked", "list -o ndjson", "show dl_1", "show dl_1 -o json", "show evil", "stats",
		"simulate --all", "simulate --all -o json",
		"replay status rep_1", "replay list", "replay pause rep_1", "replay run --simulation sim_1 --yes", "discard --all --reason x --yes",
		"export -", "drain", "drain -o json",
		"list --state \x1b[2J",
	} {
		var out, errs bytes.Buffer
		args := strings.Fields(command)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		con := &display.Console{In: strings.NewReader(""), Out: &out, Err: &errs}
		program(func(string) (string, bool) { return "", false }).Run(ctx, append(args, "--api", api), con)
		cancel()
		clitest.ShowsAll(t, command, out.String()+errs.String(), true)
	}
}
