package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

type batchWatchCmd struct {
	one
}

// Help implements kong's HelpProvider.
func (batchWatchCmd) Help() string {
	return `On a terminal it shows a bar, elsewhere a line every five seconds, at the end the table of outcomes. With -o json it
prints a JSON object a line, whenever something changes, the last of them with the final counts:

    belfry batch watch bat_… -o json | jq -r '[.state, .counts.sent, .eta_seconds] | @tsv'

A connection that breaks is made again. Exit codes: 0 everything was sent; 3 it has ended, but not everything was sent; 1 there
is no such batch, or no server; 130 interrupted, while the batch goes on.`
}

// Run watches the batch to its end.
func (c *batchWatchCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	var n client.Notification
	if c.Output.JSON() {
		n, err = printUpdates(con.Out, api.Watch(ctx, c.ID))
	} else {
		n, err = progress.New(con.Err, con.Terminal).Follow(ctx, api.Watch(ctx, c.ID))
	}
	if err != nil {
		if ctx.Err() != nil {
			c.Server.goesOn(con, c.ID)
		}
		return err
	}
	if !c.Output.JSON() {
		if err := printNotification(con, n, false); err != nil {
			return err
		}
	}
	return verdict(n, invalid(n))
}

// goesOn says what becomes of something that is no longer watched.
func (s server) goesOn(con *display.Console, id string) {
	noun := nounOf(id)
	_, _ = fmt.Fprintf(con.Err, "No longer watching; the %s goes on.\n  watch it again:  %s\n  cancel it:       %s\n",
		noun, s.commandLine("%s get %s --wait", noun, id), s.commandLine("%s cancel %s", noun, id))
}

// printUpdates prints each state of a watch as a line of JSON. The last is said
// twice by a watch, and printed once.
func printUpdates(w io.Writer, updates iter.Seq2[client.BatchProgress, error]) (last client.Notification, err error) {
	var before []byte
	for p, err := range updates {
		if err != nil {
			return last, err
		}
		last = p.Notification
		line, err := json.Marshal(last)
		if err != nil {
			return last, fmt.Errorf("print an update: %w", err)
		}
		if p.Last && bytes.Equal(line, before) {
			continue
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return last, fmt.Errorf("print an update: %w", err)
		}
		before = line
	}
	return last, nil
}
