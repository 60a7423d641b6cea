package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/visible"
)

type sendCmd struct {
	Server     server         `embed:""`
	To         target         `embed:""`
	Recipients string         `placeholder:"FILE" group:"target" help:"Any number, from a file or - for standard input: a batch."`
	Format     string         `default:"auto" enum:"auto,ndjson,csv,tsv,tokens,users" placeholder:"FORMAT" group:"target" help:"Of --recipients: ndjson, csv, tsv, tokens or users (one a line), or auto: what the file is beyond doubt. May be compressed with gzip or zstd."`
	Strict     bool           `group:"target" help:"With --recipients: all or nothing. One refused line, and nothing is sent."`
	Yes        bool           `group:"target" help:"With --recipients: send to the others without asking when lines are refused."`
	PerSecond  int            `placeholder:"N" group:"what" help:"With --recipients: to no more than N in a second, 1 to 1000000. Default: as fast as it goes."`
	Content    content        `embed:""`
	DryRun     bool           `group:"other" help:"Send nothing: say what would be sent to how many devices, which lines of the file would be refused, and what was not checked."`
	NoWait     bool           `group:"other" help:"Return as soon as it is accepted, without watching how it ends."`
	Output     display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (sendCmd) Help() string {
	return `To a few:

    belfry send --to-token TOKEN --title "Hello" --body "World"
    belfry send --to-user alice --to-user bob --message msg.json --ttl 6h

To many, from a file with a recipient a line, {"token": "…"} or {"user_id": "…", "data": {"name": "Ada"}}, or a CSV file whose
header names columns token, user_id or device_id, and data.<key>, locale, collapse_id as needed:

    belfry send --message msg.json --recipients users.csv --priority bulk
    belfry send --title Hi --recipients tokens.ndjson.gz -o json

When lines of the file are refused it shows them and asks before it sends to the others. --yes answers for scripts, --strict sends
nothing then. Without a terminal and without either nothing is sent.

Exit code 0 says that FCM took every message, 3 that it has ended without that, 5 that lines were refused and nothing was sent.
Ctrl-C stops the watching, not the sending, and shows how it stands.`
}

// Run sends and, unless told otherwise, waits for the end.
func (c *sendCmd) Run(ctx context.Context, con *display.Console) error {
	if err := c.check(); err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	req, err := c.Content.request(con.In)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.rehearse(ctx, con, api, req)
	}
	var (
		n       client.Notification
		refused int64
	)
	if c.Recipients != "" {
		n, refused, err = c.batch(ctx, con, api, req)
	} else {
		req.To = c.To.target()
		n, err = api.Send(ctx, req, c.options()...)
		warn(con, n.Warnings)
	}
	if err != nil {
		return err
	}
	if c.NoWait {
		return c.leave(con, n, refused)
	}
	last, err := watch(ctx, con, c.Server, api, n.ID)
	if last.ID != "" {
		n = last
	}
	if err != nil {
		return errors.Join(err, printNotification(con, n, c.Output.JSON())) // as far as it is known
	}
	if err := printNotification(con, n, c.Output.JSON()); err != nil {
		return err
	}
	if !c.Output.JSON() {
		c.printCost(ctx, con)
	}
	return verdict(n, refused)
}

// printCost says what AWS bills for a notification, as the server has metered
// it since it started. A server on the embedded backend, or one whose metrics
// cannot be had, has nothing to say.
func (c *sendCmd) printCost(ctx context.Context, con *display.Console) {
	m, err := cost.Scrape(ctx, strings.TrimSuffix(c.Server.API, "/")+"/metrics")
	if err != nil || m.Notifications == 0 {
		return
	}
	prices, err := cost.List()
	if err != nil {
		return
	}
	if bill := prices.Estimate(m.Units).For(m.Notifications); bill.USD > 0 {
		_, _ = fmt.Fprintf(con.Out, "\ncost: $%.9f a notification, $%.3f a million: AWS's list price for this server's own calls since it "+
			"started\n",
			bill.PerMillion/1e6, bill.PerMillion)
	}
}

func (c *sendCmd) check() error {
	kinds := c.To.kinds()
	if c.Recipients != "" {
		kinds++
	}
	switch {
	case kinds == 0:
		return display.Usagef("nobody to send to: give --recipients FILE, or --to-token, --to-user, --to-topic …")
	case kinds > 1:
		return display.Usagef("too many kinds of recipients: give --recipients or one of the --to-… flags")
	case c.Recipients == "" && (c.Strict || c.Yes || c.PerSecond != 0):
		return display.Usagef("--strict, --yes and --per-second are for --recipients: a few recipients are taken or refused together, and " +
			"go out at once")
	case c.Strict && c.Yes:
		return display.Usagef("--strict and --yes: nothing is sent, or the others are sent to, when a line is refused; give one of them")
	case c.PerSecond < 0:
		return display.Usagef("--per-second: must be at least 1 (got %d)", c.PerSecond)
	case c.Recipients == stdinName && c.Content.Message == stdinName:
		return display.Usagef("--message and --recipients: only one can be standard input")
	}
	return nil
}

func (c *sendCmd) options() []client.CallOption {
	if c.Content.IdempotencyKey == "" {
		return nil
	}
	return []client.CallOption{client.WithIdempotencyKey(c.Content.IdempotencyKey)}
}

// batch creates a batch, uploads the recipients and starts it.
func (c *sendCmd) batch(ctx context.Context, con *display.Console, api *client.Client,
	req client.Request,
) (client.Notification, int64, error) {
	r, err := openRecipients(c.Recipients, c.Format, con.In)
	if err != nil {
		return client.Notification{}, 0, err
	}
	defer func() { _ = r.close() }()
	r.tell(con)
	if c.PerSecond > 0 {
		req.Throttle = &client.Throttle{PerSecond: c.PerSecond}
	}
	n, err := api.CreateBatch(ctx, req, c.options()...)
	if err != nil {
		return n, 0, err
	}
	warn(con, n.Warnings)
	// With a key the batch may be one from before, in any state.
	if c.Content.IdempotencyKey != "" {
		if n, err = api.Batch(ctx, n.ID); err != nil {
			return n, 0, err
		}
		if n.State != client.StateUploading {
			_, _ = fmt.Fprintf(con.Err, "%s was started before with this key.\n", n.ID)
			return n, invalid(n), nil
		}
	}
	up, err := upload(ctx, con, api, r, transfer{batch: n.ID, first: 1, there: received(n), patience: usualPatience})
	if err == nil && up.refused > 0 {
		if err := c.agree(ctx, con, api, n.ID, &up); err != nil {
			return n, up.refused, err
		}
	}
	if err == nil {
		var started client.Notification
		if started, err = api.StartBatch(ctx, n.ID); err == nil {
			return started, up.refused, nil
		}
	}
	_, _ = fmt.Fprintf(con.Err, "%s is not started and sends nothing.\n  go on:    %s\n  drop it:  %s\n", n.ID,
		c.Server.commandLine("batch upload %s %s --start", n.ID, c.Recipients), c.Server.commandLine("batch cancel %s", n.ID))
	return n, up.refused, err
}

// agree asks whether those that were taken are sent to although lines were refused, and ends
// the send if not.
func (c *sendCmd) agree(ctx context.Context, con *display.Console, api *client.Client, id string, up *uploaded) error {
	others := up.total.Accepted
	switch {
	case c.Yes && others > 0:
		return nil
	case c.Strict || others == 0:
		if _, err := api.CancelBatch(ctx, id); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(con.Err, "Nothing was sent: %s of the file refused. %s is cancelled.\n", lines(up.refused), id)
		return display.StatusError(display.ExitRefused)
	case con.Asks && c.Recipients != stdinName && con.Confirm(fmt.Sprintf("Send to the other %s?", progress.Group(others))):
		return nil
	}
	_, _ = fmt.Fprintf(con.Err,
		"Nothing was sent: %s of the file refused, and --yes was not given.\n  send to the other %s:  %s\n  drop it:  %s\n",
		lines(up.refused), progress.Group(others), c.Server.commandLine("batch start %s", id), c.Server.commandLine("batch cancel %s", id))
	return display.StatusError(display.ExitRefused)
}

// warn says what a server has warned of.
func warn(con *display.Console, warnings []client.Warning) {
	for _, w := range warnings {
		_, _ = fmt.Fprintf(con.Err, "warning: %s %s\n", visible.Field(w.Pointer), visible.Field(w.Detail))
	}
}

func invalid(n client.Notification) int64 {
	if n.Invalid == nil {
		return 0
	}
	return *n.Invalid
}

// leave says what was accepted, for those who do not wait.
func (c *sendCmd) leave(con *display.Console, n client.Notification, refused int64) error {
	if err := printNotification(con, n, c.Output.JSON()); err != nil {
		return err
	}
	if refused > 0 {
		return display.StatusError(display.ExitIncomplete)
	}
	return nil
}
