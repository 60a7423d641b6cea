package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/push"
)

type notificationCmd struct {
	Get        notificationGetCmd    `cmd:"" help:"Show how a notification stands, or watch it with --wait."`
	List       notificationListCmd   `cmd:"" help:"List notifications and batches, newest first."`
	Deliveries deliveriesCmd         `cmd:"" help:"List how each recipient's delivery stands, a JSON object a line."`
	Cancel     notificationCancelCmd `cmd:"" help:"End a notification; what is open is cancelled."`
}

type notificationGetCmd struct {
	one
	Wait bool `help:"Watch it until it has ended. Exit code 0 says that everything was sent, 3 that not."`
}

// Run shows the notification.
func (c *notificationGetCmd) Run(ctx context.Context, con *console) error {
	return c.get(ctx, con, c.Wait)
}

type notificationCancelCmd struct {
	one
}

// Run cancels the notification.
func (c *notificationCancelCmd) Run(ctx context.Context, con *console) error {
	call := (*client.Client).Cancel
	if push.ID(c.ID).IsBatch() {
		call = (*client.Client).CancelBatch
	}
	return c.apply(ctx, con, call)
}

type notificationListCmd struct {
	Server server `embed:""`
	Limit  int    `default:"20" help:"How many; 0 for all."`
	Output output `embed:""`
}

// maxPage is the largest page that is asked for.
const maxPage = 1000

// Run lists notifications: a table, or a JSON object a line.
func (c *notificationListCmd) Run(ctx context.Context, con *console) error {
	if c.Limit < 0 {
		return usagef("--limit: must not be negative (got %d)", c.Limit)
	}
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	enc := json.NewEncoder(con.out)
	if !c.Output.json() {
		_, _ = fmt.Fprintln(tw, "ID\tSTATE\tPRIORITY\tRECIPIENTS\tACCEPTED\tLABELS")
	}
	seen := 0
	for n, err := range api.Notifications(ctx, min(c.Limit, maxPage)) {
		if err != nil {
			return err
		}
		if c.Output.json() {
			if err := enc.Encode(n); err != nil {
				return err
			}
		} else {
			_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, n.State, n.Priority, progress.Group(n.Recipients), clock(&n.AcceptedAt), labels(n.Labels))
		}
		if seen++; seen == c.Limit {
			break
		}
	}
	return tw.Flush()
}

type deliveriesCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Notification or batch."`
	Class  string `help:"Only this class, such as permanent or open."`
	Code   string `help:"Only this code, such as fcm.unregistered."`
}

// Help implements kong's HelpProvider.
func (deliveriesCmd) Help() string {
	return `Who was not reached, by the line of the upload:

    belfry notification deliveries bat_… --class permanent | jq -r '[.line, .code] | @tsv'`
}

// Run prints the deliveries.
func (c *deliveriesCmd) Run(ctx context.Context, con *console) error {
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	enc := json.NewEncoder(con.out)
	for d, err := range api.Deliveries(ctx, c.ID, client.DeliveryFilter{Class: c.Class, Code: c.Code}) {
		if err != nil {
			return err
		}
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return nil
}
