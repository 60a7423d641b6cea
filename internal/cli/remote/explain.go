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
	Server server `embed:""`
	ID     string `arg:"" help:"Notification or batch."`
	Token  string `group:"target" placeholder:"TOKEN" help:"FCM registration token; only its hash leaves this machine. Give one of these five."`
	FID    string `name:"fid" group:"target" placeholder:"FID" help:"Firebase installation id, also as a hash."`
	Device string `group:"target" placeholder:"ID" help:"Registered device."`
	User   string `group:"target" placeholder:"ID" help:"User: every delivery to their devices."`
	Line   int64  `group:"target" placeholder:"N" help:"Line of the batch's upload, from 1."`
	discretion
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (explainCmd) Help() string {
	return `What happened to one recipient, step by step: when it was accepted, where in the plan it went, what FCM answered to
each attempt and how fast, and the outcome. What was not recorded is said.

    belfry explain ntf_… --token fPz…
    belfry explain bat_… --line 4711`
}

// Run prints the story.
func (c *explainCmd) Run(ctx context.Context, con *display.Console) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	t, err := api.Trace(ctx, c.ID, key)
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

func (c *explainCmd) key() (client.TraceKey, error) {
	var keys []client.TraceKey
	add := func(given bool, key client.TraceKey) {
		if given {
			keys = append(keys, key)
		}
	}
	add(c.Token != "", client.TokenKey(c.Token))
	add(c.FID != "", client.FIDKey(c.FID))
	add(c.Device != "", client.DeviceKey(c.Device))
	add(c.User != "", client.UserKey(c.User))
	add(c.Line != 0, client.LineKey(c.Line))
	if c.Line < 0 {
		return "", display.Usagef("--line: must be the number of an upload line, from 1 (got %d)", c.Line)
	}
	if len(keys) != 1 {
		return "", display.Usagef("whose delivery? Give one of --token, --fid, --device, --user and --line (got %d)", len(keys))
	}
	return keys[0], nil
}

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
		parts = append(parts, "after "+time.Duration(*s.LatencyMS*float64(time.Millisecond)).String())
	}
	text := strings.Join(parts, " ")
	for _, more := range []string{meaningOf(s, meaning), s.Detail} {
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

// meaningOf is what a person wants to read behind an outcome's code.
func meaningOf(s *client.TraceStep, meaning string) string {
	if s.Step != "outcome" {
		return ""
	}
	return meaning
}
