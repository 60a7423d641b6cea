package remote

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type explainCmd struct {
	Server  server `embed:""`
	ID      string `arg:"" help:"Notification or batch."`
	Token   string `group:"target" placeholder:"TOKEN" help:"FCM registration token; only its hash leaves this machine. Give one of these seven."`
	FID     string `name:"fid" group:"target" placeholder:"FID" help:"Firebase installation id, also as a hash."`
	Device  string `group:"target" placeholder:"ID" help:"Registered device."`
	User    string `group:"target" placeholder:"ID" help:"User: every delivery to their devices."`
	Line    int64  `group:"target" placeholder:"N" help:"Line of the batch's upload, from 1."`
	Slowest int    `group:"target" placeholder:"N" help:"The slowest N, at most 20: what is still open, the most often tried first, then those whose answer came last."`
	Failed  int    `group:"target" placeholder:"N" help:"N that failed, at most 20, of as many codes as there are."`
	discretion
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (explainCmd) Help() string {
	return `What happened to one recipient, step by step: when it was accepted, queued and planned, when a worker took its chunk
and after how long on the queue, what FCM answered to each attempt and how fast, the outcome, and its event. What was not recorded is
said. The ids are those of traces (docs/tracing.md).

Of a batch it also finds the slowest recipients, and some that failed.

    belfry explain ntf_… --token fPz…
    belfry explain bat_… --line 4711
    belfry explain bat_… --slowest 5
    belfry explain bat_… --failed 5 -o json`
}

// Run prints the story.
func (c *explainCmd) Run(ctx context.Context, con *display.Console) error {
	ask, err := c.asked()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	t, err := ask(ctx, api)
	if err != nil {
		return err
	}
	for i := range t.Deliveries {
		c.hide(&t.Deliveries[i].Delivery)
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, t)
	}
	return printTrace(con, &t)
}

// asked returns the question that the flags ask.
func (c *explainCmd) asked() (func(context.Context, *client.Client) (client.Trace, error), error) {
	var asked []func(context.Context, *client.Client) (client.Trace, error)
	one := func(given bool, key client.TraceKey) {
		if given {
			asked = append(asked, func(ctx context.Context, api *client.Client) (client.Trace, error) { return api.Trace(ctx, c.ID, key) })
		}
	}
	one(c.Token != "", client.TokenKey(c.Token))
	one(c.FID != "", client.FIDKey(c.FID))
	one(c.Device != "", client.DeviceKey(c.Device))
	one(c.User != "", client.UserKey(c.User))
	one(c.Line != 0, client.LineKey(c.Line))
	if c.Line < 0 {
		return nil, display.Usagef("--line: must be the number of an upload line, from 1 (got %d)", c.Line)
	}
	for _, some := range []struct {
		flag string
		n    int
		of   client.TraceChoice
	}{{"--slowest", c.Slowest, client.TraceSlowest}, {"--failed", c.Failed, client.TraceFailed}} {
		if some.n < 0 || some.n > mostExplained {
			return nil, display.Usagef("%s: must be 1..%d (got %d)", some.flag, mostExplained, some.n)
		}
		if some.n > 0 {
			asked = append(asked, func(ctx context.Context, api *client.Client) (client.Trace, error) {
				return api.Traces(ctx, c.ID, some.of, some.n)
			})
		}
	}
	if len(asked) != 1 {
		const ask = "whose delivery? Give one of --token, --fid, --device, --user, --line, --slowest and --failed (got %d)"
		return nil, display.Usagef(ask, len(asked))
	}
	return asked[0], nil
}

// mostExplained is how many deliveries the server explains at most in one answer.
const mostExplained = 20

// printTrace prints deliveries as timelines, one below the other.
func printTrace(con *display.Console, t *client.Trace) error {
	visible.Fields(t)
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s\n", t.Notification, t.State)
	if r := t.Refused; r != nil {
		fmt.Fprintf(&b, "\nline %d was refused (%s)\n  %s\n", r.Line, r.Code, strings.TrimSpace(r.Pointer+" "+r.Detail))
		b.WriteString("Nothing was sent for it. Mend the line, and send it with another batch.\n")
	}
	if t.TraceID != "" {
		fmt.Fprintf(&b, "trace %s\n", t.TraceID)
	}
	if len(t.Deliveries) == 0 && t.Refused == nil && len(t.Notes) == 0 {
		b.WriteString("\nThere are no such deliveries.\n")
	}
	for i := range t.Deliveries {
		printStory(&b, &t.Deliveries[i], t.TraceID, con.Width)
	}
	if t.More {
		fmt.Fprintf(&b, "\nThere are more deliveries to this recipient than these %d.\n", len(t.Deliveries))
	}
	for _, n := range t.Notes {
		b.WriteString("\n" + display.Wrap("Note: "+n, con.Width, ""))
	}
	_, err := io.WriteString(con.Out, b.String())
	return err
}

func printStory(b *strings.Builder, d *client.TracedDelivery, request string, width int) {
	b.WriteString("\n")
	if d.Delivery.Line > 0 {
		fmt.Fprintf(b, "line %d: ", d.Delivery.Line)
	}
	b.WriteString(string(d.Delivery.Class))
	if string(d.Delivery.Code) != string(d.Delivery.Class) {
		b.WriteString(" (" + string(d.Delivery.Code) + ")")
	}
	if d.TookMS != nil {
		b.WriteString(" after " + inMillis(*d.TookMS))
	}
	for _, who := range [][2]string{{"user", d.UserID}, {"device", d.DeviceID}, {"address", d.Delivery.AddressHash}} {
		if who[1] != "" {
			b.WriteString(", " + who[0] + " " + who[1])
		}
	}
	b.WriteString("\n")
	if d.TraceID != "" && d.TraceID != request {
		fmt.Fprintf(b, "  trace %s\n", d.TraceID)
	}
	var rows [][]string
	var last time.Time
	for i := range d.Steps {
		s := &d.Steps[i]
		at := "-"
		if s.At != nil {
			at = s.At.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		rows = append(rows, []string{at, since(&last, s.At), s.Step, sentence(s, d.Meaning)})
	}
	b.WriteString(display.Hanging(rows, width, "  "))
}

// since is how long after the last step with a time this one was, "" if that is not known.
func since(last *time.Time, at *time.Time) string {
	if at == nil {
		return ""
	}
	before := *last
	*last = *at
	if before.IsZero() || at.Before(before) { // of a clock that was set, or of another machine's
		return ""
	}
	return "+" + at.Sub(before).Round(time.Millisecond).String()
}

// traceOf names the trace that a step begins.
func traceOf(s *client.TraceStep) string {
	if s.TraceID == "" {
		return ""
	}
	return "trace " + s.TraceID
}

// sentence says what a step was about.
func sentence(s *client.TraceStep, meaning string) string {
	var parts []string
	if s.Attempt > 0 {
		parts = append(parts, fmt.Sprintf("%d:", s.Attempt))
	}
	if s.Code != "" {
		parts = append(parts, string(s.Code))
	}
	if s.LatencyMS != nil {
		parts = append(parts, "after "+inMillis(*s.LatencyMS))
	}
	if s.WaitedMS != nil {
		parts = append(parts, "after "+inMillis(*s.WaitedMS)+" on the queue")
	}
	text := strings.Join(parts, " ")
	for _, more := range []string{meaningOf(s, meaning), s.Detail, traceOf(s)} {
		switch {
		case more == "":
		case text == "":
			text = more
		default:
			text += " - " + more
		}
	}
	return text
}

func inMillis(ms float64) string { return time.Duration(ms * float64(time.Millisecond)).String() }

// meaningOf is what a person wants to read behind an outcome's code.
func meaningOf(s *client.TraceStep, meaning string) string {
	if s.Step != "outcome" {
		return ""
	}
	return meaning
}
