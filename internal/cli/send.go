package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cost"
)

type sendCmd struct {
	Server     server  `embed:""`
	To         target  `embed:""`
	Recipients string  `placeholder:"FILE" group:"target" help:"Any number, from a file or - for standard input: a batch."`
	Format     string  `default:"auto" enum:"auto,ndjson,csv" group:"target" help:"Of --recipients: ndjson, csv, or auto: csv for *.csv. Either may be compressed with gzip or zstd."`
	Content    content `embed:""`
	NoWait     bool    `group:"other" help:"Return as soon as it is accepted, without watching how it ends."`
	Output     output  `embed:""`
}

// Help implements kong's HelpProvider.
func (sendCmd) Help() string {
	return `To a few:

    belfry send --to-token TOKEN --title "Hello" --body "World"
    belfry send --to-user alice --to-user bob --message msg.json --ttl 6h

To many, from a file with a recipient a line, {"token": "…"} or {"user_id": "…", "data": {"name": "Ada"}}, or a CSV file whose header names columns token, user_id or device_id, and data.<key>, locale, collapse_id as needed:

    belfry send --message msg.json --recipients users.csv --priority bulk
    belfry send --title Hi --recipients tokens.ndjson.gz -o json

Exit code 0 says that FCM took every message, 3 that it has ended without that. Ctrl-C stops the watching, not the sending.`
}

// Run sends and, unless told otherwise, waits for the end.
func (c *sendCmd) Run(ctx context.Context, con *console) error {
	if err := c.check(); err != nil {
		return err
	}
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	req, err := c.Content.request(con.in)
	if err != nil {
		return err
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
	}
	if err != nil {
		return err
	}
	if c.NoWait {
		return c.leave(con, n, refused)
	}
	if n, err = watch(ctx, con, c.Server, api, n.ID); err != nil {
		return err
	}
	if err := printNotification(con.out, n, c.Output.json()); err != nil {
		return err
	}
	if !c.Output.json() {
		c.printCost(ctx, con)
	}
	return verdict(n, refused)
}

// printCost says what AWS bills for a notification, as the server has metered
// it since it started. A server on the embedded backend, or one whose metrics
// cannot be had, has nothing to say.
func (c *sendCmd) printCost(ctx context.Context, con *console) {
	m, err := scrape(ctx, strings.TrimSuffix(c.Server.API, "/")+"/metrics")
	if err != nil || m.Notifications == 0 {
		return
	}
	prices, err := cost.List()
	if err != nil {
		return
	}
	if bill := prices.Estimate(m.Units).For(m.Notifications); bill.USD > 0 {
		_, _ = fmt.Fprintf(con.out, "\ncost: $%.9f a notification, $%.3f a million: AWS's list price for this server's own calls since it started\n",
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
		return usagef("nobody to send to: give --recipients FILE, or --to-token, --to-user, --to-topic …")
	case kinds > 1:
		return usagef("too many kinds of recipients: give --recipients or one of the --to-… flags")
	case c.Recipients == stdinName && c.Content.Message == stdinName:
		return usagef("--message and --recipients: only one can be standard input")
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
func (c *sendCmd) batch(ctx context.Context, con *console, api *client.Client, req client.Request) (client.Notification, int64, error) {
	r, err := openRecipients(c.Recipients, c.Format, con.in)
	if err != nil {
		return client.Notification{}, 0, err
	}
	defer func() { _ = r.close() }()
	n, err := api.CreateBatch(ctx, req, c.options()...)
	if err != nil {
		return n, 0, err
	}
	// With a key the batch may be one from before, in any state.
	if c.Content.IdempotencyKey != "" {
		if n, err = api.Batch(ctx, n.ID); err != nil {
			return n, 0, err
		}
		if n.State != client.StateUploading {
			_, _ = fmt.Fprintf(con.err, "%s was started before with this key.\n", n.ID)
			return n, invalid(n), nil
		}
	}
	up, err := upload(ctx, con, api, r, transfer{batch: n.ID, first: 1, there: received(n), patience: usualPatience})
	if err == nil {
		var started client.Notification
		if started, err = api.StartBatch(ctx, n.ID); err == nil {
			return started, up.refused, nil
		}
	}
	_, _ = fmt.Fprintf(con.err, "%s is not started and sends nothing.\n  go on:    %s\n  drop it:  %s\n", n.ID,
		c.Server.commandLine("batch upload %s %s --start", n.ID, c.Recipients), c.Server.commandLine("batch cancel %s", n.ID))
	return n, up.refused, err
}

func invalid(n client.Notification) int64 {
	if n.Invalid == nil {
		return 0
	}
	return *n.Invalid
}

// leave says what was accepted, for those who do not wait.
func (c *sendCmd) leave(con *console, n client.Notification, refused int64) error {
	if err := printNotification(con.out, n, c.Output.json()); err != nil {
		return err
	}
	if refused > 0 {
		return statusError(ExitIncomplete)
	}
	return nil
}
