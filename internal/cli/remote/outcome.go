package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/visible"
)

// fetch asks how a notification or batch stands.
func fetch(ctx context.Context, c *client.Client, id string) (client.Notification, error) {
	if push.ID(id).IsBatch() {
		return c.Batch(ctx, id)
	}
	return c.Notification(ctx, id)
}

// watch shows a notification or batch until it has ended. When it is
// interrupted it says that the work goes on, and how to see it.
func watch(ctx context.Context, con *display.Console, s server, c *client.Client, id string) (client.Notification, error) {
	n, err := progress.Batch(ctx, func(ctx context.Context) (client.Notification, error) { return fetch(ctx, c, id) }, con.Err, con.Terminal)
	if err != nil && ctx.Err() != nil {
		s.goesOn(con, id)
	}
	return n, err
}

func nounOf(id string) string {
	if push.ID(id).IsBatch() {
		return "batch"
	}
	return "notification"
}

// printNotification prints how it stands, with the table of outcomes if there
// is one.
func printNotification(con *display.Console, n client.Notification, asJSON bool) error {
	if asJSON {
		return display.PrintJSON(con.Out, n)
	}
	visible.Fields(&n)
	var l display.List
	l.Row("id", n.ID)
	l.Row("state", string(n.State))
	if n.Waiting != nil {
		l.Row("waiting", n.Waiting.Text)
	}
	if n.Deferred && n.Waiting == nil && n.Counts == nil {
		l.Row("deferred", "a quota is used up: it starts when there is room")
	}
	for i := range n.Held {
		l.Row("held", progress.Reason(&n.Held[i]))
	}
	if n.BrakeOff {
		l.Row("brake", "off: who is refused is not held")
	}
	l.Row("title", n.Title)
	l.Row("app", n.App)
	l.Row("sender", n.Sender)
	l.Row("priority", string(n.Priority))
	l.Row("labels", display.Labels(n.Labels))
	l.Row("accepted", con.Time(&n.AcceptedAt))
	l.Row("started", con.Time(n.StartedAt))
	l.Row("completed", con.Time(n.CompletedAt))
	l.Row("expires", con.Time(n.ExpiresAt))
	l.Row("recipients", progress.Group(n.Recipients))
	batchRows(&l, &n)
	l.Row("first activity", con.Time(n.FirstOutcomeAt))
	l.Row("last activity", con.Time(n.LastOutcomeAt))
	if n.Rate != nil {
		l.Row("rate", progress.Group(int64(*n.Rate+0.5))+"/s")
	}
	if n.ETASeconds != nil {
		l.Row("eta", time.Duration(*n.ETASeconds*float64(time.Second)).Round(time.Second).String())
	}
	if err := l.Print(con); err != nil || n.Counts == nil {
		return err
	}
	if _, err := fmt.Fprintln(con.Out); err != nil {
		return err
	}
	return progress.PrintCounts(con.Out, *n.Counts)
}

// batchRows are what only a batch has.
func batchRows(l *display.List, n *client.Notification) {
	count := func(name string, n *int64) {
		if n != nil && *n > 0 {
			l.Row(name, lines(*n))
		}
	}
	if n.Received != nil {
		l.Row("received", lines(*n.Received))
	}
	count("refused", n.Invalid)
	count("blank", &n.Blank)
	count("duplicates", n.Duplicates)
	if n.UncheckedFrom != nil {
		l.Row("unchecked", "duplicates from line "+progress.Group(*n.UncheckedFrom)+" on: repeated recipients may be sent to twice")
	}
	if n.UploadOpen {
		l.Row("upload", "open: start without --early ends it")
	}
	if n.Throttle != nil {
		l.Row("throttle", progress.Group(int64(n.Throttle.PerSecond))+"/s")
	}
}

// lines counts lines.
func lines(n int64) string {
	if n == 1 {
		return "1 line"
	}
	return progress.Group(n) + " lines"
}

// verdict is the exit code of a send that has ended: was everything sent, of
// what was accepted and of what was refused before?
func verdict(n client.Notification, refused int64) error {
	if refused == 0 && n.Counts != nil && n.Counts.Accepted > 0 && n.Counts.Sent == n.Counts.Accepted {
		return nil
	}
	return display.StatusError(display.ExitIncomplete)
}
