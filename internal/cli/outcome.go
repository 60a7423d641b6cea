package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/push"
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
func watch(ctx context.Context, con *console, s server, c *client.Client, id string) (client.Notification, error) {
	n, err := progress.Batch(ctx, func(ctx context.Context) (client.Notification, error) { return fetch(ctx, c, id) }, con.err, con.terminal)
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
func printNotification(w io.Writer, n client.Notification, asJSON bool) error {
	if asJSON {
		return printJSON(w, n)
	}
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	field := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(tw, "%s\t%s\n", name, value)
		}
	}
	field("id", n.ID)
	field("state", n.State)
	field("priority", n.Priority)
	field("labels", labels(n.Labels))
	field("accepted", clock(&n.AcceptedAt))
	field("started", clock(n.StartedAt))
	field("completed", clock(n.CompletedAt))
	field("expires", clock(n.ExpiresAt))
	field("recipients", progress.Group(n.Recipients))
	if n.Received != nil {
		field("received", progress.Group(*n.Received)+" lines")
	}
	if n.Invalid != nil && *n.Invalid > 0 {
		field("refused", progress.Group(*n.Invalid)+" lines")
	}
	if n.Blank > 0 {
		field("blank", progress.Group(n.Blank)+" lines")
	}
	if n.Duplicates != nil && *n.Duplicates > 0 {
		field("duplicates", progress.Group(*n.Duplicates)+" lines")
	}
	if n.UncheckedFrom != nil {
		field("unchecked", "duplicates from line "+progress.Group(*n.UncheckedFrom)+" on: repeated recipients may be sent to twice")
	}
	if n.UploadOpen {
		field("upload", "open: start without --early ends it")
	}
	if n.Throttle != nil {
		field("throttle", progress.Group(int64(n.Throttle.PerSecond))+"/s")
	}
	field("first activity", clock(n.FirstOutcomeAt))
	field("last activity", clock(n.LastOutcomeAt))
	if n.Rate != nil {
		field("rate", progress.Group(int64(*n.Rate+0.5))+"/s")
	}
	if n.ETASeconds != nil {
		field("eta", time.Duration(*n.ETASeconds*float64(time.Second)).Round(time.Second).String())
	}
	_ = tw.Flush()
	if n.Counts != nil {
		b.WriteString("\n")
		if err := progress.PrintCounts(&b, *n.Counts); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func labels(m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, k+"="+m[k])
	}
	return strings.Join(pairs, " ")
}

func clock(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// verdict is the exit code of a send that has ended: was everything sent, of
// what was accepted and of what was refused before?
func verdict(n client.Notification, refused int64) error {
	if refused == 0 && n.Counts != nil && n.Counts.Accepted > 0 && n.Counts.Sent == n.Counts.Accepted {
		return nil
	}
	return statusError(ExitIncomplete)
}
