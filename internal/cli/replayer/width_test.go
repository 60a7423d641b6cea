package replayer

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

func TestHelpAtWidths(t *testing.T) { //nolint:paralleltest // COLUMNS is the process's
	clitest.HelpAtWidths(t, "dlq-replayer", &replayer{}, func(args ...string) clitest.Result {
		return dlq(context.Background(), "", nil, args...)
	})
}

// TestTablesAtWidths pins what the main commands print on terminals: no line is
// wider, and what is left out is named.
func TestTablesAtWidths(t *testing.T) {
	t.Parallel()
	dir := stocked(t, 3, 2)
	for _, width := range []int{80, 100, 160}[:raced.Rounds(3)] {
		var all strings.Builder
		for _, args := range []string{
			"groups", "list --text 4001", "list --text nowhere", "stats", "show " + string(push.DerivedID(push.PrefixDeadLetter, "t", "1")),
			"replay list", "list --text 4001 -o wide", "advice unregistered",
		} {
			var out bytes.Buffer
			program(func(name string) (string, bool) { return dir, name == "BELFRY_DATA" }).Run(t.Context(), strings.Fields(args), &display.Console{
				In: strings.NewReader(""), Out: &out, Err: &out, Width: width,
				Now: func() time.Time { return time.Date(2026, 11, 3, 15, 0, 0, 0, time.UTC) },
			})
			all.WriteString("$ dlq-replayer " + args + "\n" + out.String() + "\n")
			if !strings.HasSuffix(args, "wide") {
				clitest.Fits(t, args, out.String(), width)
			}
		}
		clitest.Golden(t, "tables-"+strconv.Itoa(width)+".txt", all.String())
	}
}
