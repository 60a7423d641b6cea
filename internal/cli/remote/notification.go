package remote

import (
	"context"
	"encoding/json"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
)

type notificationCmd struct {
	Get        notificationGetCmd    `cmd:"" help:"Show how a notification stands, or watch it with --wait."`
	Show       notificationShowCmd   `cmd:"" help:"Show a notification with the message that it sends."`
	List       notificationListCmd   `cmd:"" help:"List and find notifications and batches, newest first."`
	Deliveries deliveriesCmd         `cmd:"" help:"List how each recipient's delivery stands, a JSON object a line."`
	Pause      notificationPauseCmd  `cmd:"" help:"Hold back what is not sent yet."`
	Resume     notificationResumeCmd `cmd:"" help:"Go on with a notification that is paused or held."`
	Cancel     notificationCancelCmd `cmd:"" help:"End a notification; what is open is cancelled."`
}

type notificationGetCmd struct {
	one
	Wait bool `help:"Watch it until it has ended. Exit code 0 says that everything was sent, 3 that not."`
}

// Run shows the notification.
func (c *notificationGetCmd) Run(ctx context.Context, con *display.Console) error {
	return c.get(ctx, con, c.Wait)
}

type notificationShowCmd struct {
	one
}

// Help implements kong's HelpProvider.
func (notificationShowCmd) Help() string {
	return `The message is as it was asked for, without its target. To send the same again to somebody else:

    belfry notification show ntf_… -o json | jq .message | belfry send --message - --to-user ada`
}

// Run shows the notification and its message.
func (c *notificationShowCmd) Run(ctx context.Context, con *display.Console) error {
	return c.show(ctx, con)
}

type notificationPauseCmd struct {
	one
}

// Help implements kong's HelpProvider.
func (notificationPauseCmd) Help() string {
	return `What FCM is being asked at this moment still gets its answer. The time to live runs on: what has expired when it is
resumed is not sent.`
}

// Run pauses the notification.
func (c *notificationPauseCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).Pause)
}

type notificationResumeCmd struct{ resumeCmd }

type notificationCancelCmd struct {
	one
}

// Run cancels the notification.
func (c *notificationCancelCmd) Run(ctx context.Context, con *display.Console) error {
	call := (*client.Client).Cancel
	if push.ID(c.ID).IsBatch() {
		call = (*client.Client).CancelBatch
	}
	return c.apply(ctx, con, call)
}

type notificationListCmd struct {
	listCmd
	Kind client.Kind `group:"which" placeholder:"KIND" help:"notification or batch."`
}

// Run lists notifications: a table, or a JSON object a line.
func (c *notificationListCmd) Run(ctx context.Context, con *display.Console) error {
	return c.list(ctx, con, c.Kind, "no notifications yet: send one with belfry send")
}

type deliveriesCmd struct {
	Server server       `embed:""`
	ID     string       `arg:"" help:"Notification or batch."`
	Class  client.Class `help:"Only this class, such as permanent or open; failed: all that ended and was not sent."`
	Code   client.Code  `help:"Only this code, such as fcm.unregistered."`
	discretion
}

// Help implements kong's HelpProvider.
func (deliveriesCmd) Help() string {
	return `Who was not reached, by the line of the upload:

    belfry notification deliveries bat_… --class failed | jq -r '[.user_id, .device_id, .code] | @tsv'`
}

// Run prints the deliveries.
func (c *deliveriesCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(con.Out)
	for d, err := range api.Deliveries(ctx, c.ID, client.DeliveryFilter{Class: c.Class, Code: c.Code}) {
		if err != nil {
			return err
		}
		c.hide(&d)
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return nil
}
