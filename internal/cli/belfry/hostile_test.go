package belfry

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/cli/clitest"
)

// Nothing that a server, a file or an argument says drives the terminal.
func TestNothingDrivesTheTerminal(t *testing.T) {
	t.Parallel()
	api := clitest.HostileAPI(t)
	list := clitest.File(t, "list.ndjson", "{}\n")
	for _, command := range []string{
		"notification list", "notification list -o json", "notification get ntf_1", "notification get ntf_1 -o json", "notification get evil",
		"notification deliveries ntf_1", "notification cancel ntf_1", "batch get bat_1", "batch report bat_1", "batch report bat_1 --format csv",
		"batch start bat_1", "batch pause bat_1", "batch create -o json", "explain ntf_1 user-1", "explain ntf_1 user-1 -o json",
		"devices list", "devices list -o json", "usage", "usage -o json", "usage --csv",
		"devices get a", "devices get evil", "devices import " + list, "devices import " + list + " -o json",
		"send --to-token t --title x --no-wait",
		"send --to-token t --title x", "send --no-such-flag=\x1b[2J", "\x1b[2J\u009b", "devices import \x1b[2J", "batch upload bat_1 " + list,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		r := belfry(ctx, api, strings.NewReader(""), strings.Fields(command)...)
		cancel()
		clitest.ShowsAll(t, command, r.Out+r.Err, false)
	}
}
