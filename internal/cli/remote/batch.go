package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type batchCmd struct {
	Create batchCreateCmd `cmd:"" help:"Create a batch, which waits for its recipients."`
	Upload batchUploadCmd `cmd:"" help:"Upload recipients; repeating it changes nothing."`
	Start  batchStartCmd  `cmd:"" help:"End the upload and begin to send."`
	Pause  batchPauseCmd  `cmd:"" help:"Hold back what is not sent yet."`
	Resume batchResumeCmd `cmd:"" help:"Go on with a paused batch."`
	Cancel batchCancelCmd `cmd:"" help:"End a batch; what is open is cancelled."`
	List   batchListCmd   `cmd:"" help:"List and find batches, newest first."`
	Get    batchGetCmd    `cmd:"" help:"Show how a batch stands, or watch it with --wait."`
	Show   batchShowCmd   `cmd:"" help:"Show a batch with the message that it sends."`
	Watch  batchWatchCmd  `cmd:"" help:"Watch a batch until it has ended."`
	Report batchReportCmd `cmd:"" help:"Write what became of each recipient."`
}

type batchCreateCmd struct {
	Server    server         `embed:""`
	Content   content        `embed:""`
	PerSecond int            `placeholder:"N" group:"what" help:"Send to no more than N recipients in a second, 1 to 1000000. Default: as fast as it goes."`
	Output    display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (batchCreateCmd) Help() string {
	return `belfry send --recipients does all of this in one go. Step by step:

    id=$(belfry batch create --message msg.json -o json | jq -r .id)
    belfry batch upload $id part1.ndjson
    belfry batch upload $id part2.csv --append
    belfry batch start $id && belfry batch get $id --wait`
}

// Run creates the batch.
func (c *batchCreateCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	req, err := c.Content.request(con.In)
	if err != nil {
		return err
	}
	if c.PerSecond < 0 {
		return display.Usagef("--per-second: must be at least 1 (got %d)", c.PerSecond)
	}
	if c.PerSecond > 0 {
		req.Throttle = &client.Throttle{PerSecond: c.PerSecond}
	}
	var opts []client.CallOption
	if c.Content.IdempotencyKey != "" {
		opts = append(opts, client.WithIdempotencyKey(c.Content.IdempotencyKey))
	}
	n, err := api.CreateBatch(ctx, req, opts...)
	if err != nil {
		return err
	}
	warn(con, n.Warnings)
	return printNotification(con, n, c.Output.JSON())
}

// one is a command on one notification or batch.
type one struct {
	Server server         `embed:""`
	ID     string         `arg:"" help:"Its id."`
	Output display.Output `embed:""`
}

// apply makes the call and prints how the thing stands after it.
func (c *one) apply(ctx context.Context, con *display.Console,
	call func(*client.Client, context.Context, string) (client.Notification, error),
) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	n, err := call(api, ctx, c.ID)
	if err != nil {
		return err
	}
	return printNotification(con, n, c.Output.JSON())
}

type batchStartCmd struct {
	one
	Early bool `help:"Begin to send while recipients are still being uploaded; a start without --early says later that the upload is finished."`
}

// Run starts the batch.
func (c *batchStartCmd) Run(ctx context.Context, con *display.Console) error {
	if c.Early {
		return c.apply(ctx, con, (*client.Client).StartBatchEarly)
	}
	return c.apply(ctx, con, (*client.Client).StartBatch)
}

type batchPauseCmd struct {
	one
}

// Run pauses the batch.
func (c *batchPauseCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).PauseBatch)
}

type batchResumeCmd struct{ resumeCmd }

// resumeCmd goes on with a batch or notification.
type resumeCmd struct {
	one
	NoBrake bool `help:"Hold nothing of it any more: who is refused ends with that outcome."`
}

// Help implements kong's HelpProvider.
func (resumeCmd) Help() string {
	return `What is held is tried again, those who were refused included, and held again when as many are refused as before. Resume
when ` +
		`the cause is mended; cancel what should not go out; with --no-brake it goes on whatever is refused.`
}

// Run resumes it.
func (c *resumeCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, func(api *client.Client, ctx context.Context, id string) (client.Notification, error) {
		return api.Resume(ctx, id, client.ResumeOptions{BrakeOff: c.NoBrake})
	})
}

type batchCancelCmd struct {
	one
}

// Run cancels the batch.
func (c *batchCancelCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).CancelBatch)
}

type batchListCmd struct{ listCmd }

// Run lists batches.
func (c *batchListCmd) Run(ctx context.Context, con *display.Console) error {
	return c.list(ctx, con, client.KindBatch, "no batches yet: make one with belfry batch create, or send --recipients FILE")
}

type batchShowCmd struct {
	one
}

// Run shows the batch and its message.
func (c *batchShowCmd) Run(ctx context.Context, con *display.Console) error {
	return c.show(ctx, con)
}

// show shows a notification or batch with the message that it sends.
func (c *one) show(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	n, err := fetch(ctx, api, c.ID)
	if err != nil {
		return err
	}
	if err := printNotification(con, n, c.Output.JSON()); err != nil || c.Output.JSON() {
		return err
	}
	var message bytes.Buffer
	if err := json.Indent(&message, n.Message, "", "  "); err != nil {
		return fmt.Errorf("the server did not show the message: %w", err)
	}
	_, err = fmt.Fprintf(con.Out, "\n%s\n", message.Bytes())
	return err
}

type batchGetCmd struct {
	one
	Wait bool `help:"Watch it until it has ended. Exit code 0 says that everything was sent, 3 that not."`
}

// Run shows the batch.
func (c *batchGetCmd) Run(ctx context.Context, con *display.Console) error {
	return c.get(ctx, con, c.Wait)
}

// get shows a notification or batch as it stands, or waits for its end.
func (c *one) get(ctx context.Context, con *display.Console, wait bool) error {
	if !wait {
		return c.apply(ctx, con, func(api *client.Client, ctx context.Context, id string) (client.Notification, error) {
			return fetch(ctx, api, id)
		})
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	n, err := watch(ctx, con, c.Server, api, c.ID)
	if err != nil {
		return err
	}
	if err := printNotification(con, n, c.Output.JSON()); err != nil {
		return err
	}
	return verdict(n, invalid(n))
}
