package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type tailCmd struct {
	Type   values        `group:"which" placeholder:"TYPE" enum:"accepted,changed,outcome,completed,held,reconciled,quarantined,breaker,credential,replay,audit" help:"Only this type: accepted, changed, outcome, completed, held, reconciled, quarantined, breaker, credential, replay or audit; several with commas."`
	Tenant value         `group:"which" placeholder:"TENANT" help:"Only this tenant's, for the operator's key."`
	App    value         `group:"which" placeholder:"APP" help:"Only this app's."`
	ID     values        `name:"id" group:"which" placeholder:"ID" help:"Only of this notification, batch or replay; several with commas."`
	Label  values        `group:"which" placeholder:"NAME=VALUE" sep:"none" help:"Only with this label, or with NAME and any value; given several times, all of them."`
	Code   values        `group:"which" placeholder:"CODE" help:"Only with this outcome code, or a family such as fcm; several with commas."`
	Class  values        `group:"which" placeholder:"CLASS" help:"Only with an outcome of this class, such as permanent; several with commas."`
	After  value         `group:"which" placeholder:"POSITION" help:"Go on behind an event, by the position that -o json shows; within two minutes."`
	Source direct.Source `embed:""`
	Output string        `short:"o" default:"lines" enum:"lines,json" group:"other" placeholder:"FORMAT" help:"lines, or json: a JSON object a line."`
}

// Help implements kong's HelpProvider.
func (tailCmd) Help() string {
	return `Follows what happens, from now on, until Ctrl-C. What is given must all hold, and no value has wildcards. With --api it asks
a running server: a connection that breaks is made again and goes on where it was. Without it, it reads the data directory or
the backend on AWS itself, to which every program writes what happens while somebody follows, one to four seconds later. A
line says where events are missing, and how many. It is for looking: belfry notification get and belfry audit list say what is
right in the end:

    belfry tail --type breaker,held,credential
    belfry tail --id bat_… --class permanent
    belfry tail --label team=orders -o json | jq -c .event.data`
}

// Run follows.
func (c *tailCmd) Run(ctx context.Context, con *display.Console) error {
	f := client.TailFilter{
		Tenant: string(c.Tenant), App: string(c.App), IDs: c.ID, Labels: c.Label, Codes: c.Code, Classes: c.Class, After: string(c.After),
		Broke: func(err error) { _, _ = fmt.Fprintf(con.Err, "belfry: %v; connecting again\n", err) },
	}
	for _, t := range c.Type {
		f.Kinds = append(f.Kinds, client.TailKind(t))
	}
	return c.Source.With(ctx, con, func(api *client.Client) error { return c.follow(ctx, con, api.Tail(ctx, f)) })
}

// follow shows events until ctx ends.
func (c *tailCmd) follow(ctx context.Context, con *display.Console, all iter.Seq2[client.TailEvent, error]) error {
	var events, gaps int64
	for e, err := range all {
		if err != nil && ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if e.Kind == client.TailGap {
			gaps++
		} else {
			events++
		}
		if c.Output == "json" {
			err = display.Line(con.Out, e)
		} else {
			_, err = fmt.Fprintln(con.Out, tailLine(con, &e))
		}
		if err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(con.Err, "%d events, %d gaps\n", events, gaps)
	return nil
}

// errEmpty refuses a filter without a value, as a script has it with a variable that is not set: it would choose all.
var errEmpty = errors.New("must not be empty; leave it out for all")

// value is a filter's value.
type value string

// Decode implements kong.MapperValue.
func (v *value) Decode(ctx *kong.DecodeContext) error {
	err := ctx.Scan.PopValueInto("value", (*string)(v))
	if err == nil && *v == "" {
		err = errEmpty
	}
	return err
}

// values are a filter's values, of which several may be given.
type values []string

// Decode implements kong.MapperValue.
func (v *values) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("value", &text); err != nil {
		return err
	}
	parts := kong.SplitEscaped(text, ctx.Value.Tag.Sep)
	if len(parts) == 0 || slices.Contains(parts, "") {
		return errEmpty
	}
	*v = append(*v, parts...)
	return nil
}

// told is what lines say of the data of events; each type has some of it.
type told struct {
	Tenant  string           `json:"tenant"`
	App     string           `json:"app"`
	ByCode  map[string]int64 `json:"by_code"`
	Lane    string           `json:"lane"`
	Sources int64            `json:"sources"`
	Change  string           `json:"change"`
	Code    string           `json:"code"`
	State   string           `json:"state"`
	To      string           `json:"to"`
	Cause   string           `json:"cause"`
	Reason  string           `json:"reason"`
	Why     string           `json:"why"`
	Who     string           `json:"who"`
	By      string           `json:"by"`
	Action  string           `json:"action"`

	Labels map[string]string `json:"labels"`
}

// tailLine is an event on one line: when, what, whose, in words, and of what. Words are cut where a terminal ends, ids are not.
func tailLine(con *display.Console, e *client.TailEvent) string {
	const kindWidth = 12
	if e.Kind == client.TailGap || e.Event == nil {
		text := "events are missing here"
		if e.Missing != nil && e.Missing.Events != nil {
			text = strconv.FormatInt(*e.Missing.Events, 10) + " " + text
		}
		return strings.Repeat(" ", len("15:04:05 ")) + con.Toned(fmt.Sprintf("%-*s", kindWidth, "gap"), "held") + text
	}
	when := "        "
	if e.Event.Time != nil {
		when = e.Event.Time.UTC().Format("15:04:05")
	}
	var d told
	_ = json.Unmarshal(e.Event.Data, &d) //nolint:forbidigo // of our own server; what is of another type is left out
	words, tone := d.words(e.Kind)
	if d.Tenant != "" {
		words = d.Tenant + " " + words
	}
	if len(d.Labels) > 0 {
		words += " " + display.Labels(d.Labels)
	}
	words, subject := visible.Field(words), visible.Field(e.Event.Subject)
	kind := fmt.Sprintf("%-*s", kindWidth, visible.Field(string(e.Kind)))
	if con.Width > 0 {
		room := con.Width - len(when) - 1 - kindWidth - runewidth.StringWidth(subject) - 1
		words = runewidth.Truncate(words, max(room, 0), "…")
	}
	return when + " " + con.Toned(kind, tone) + words + " " + subject
}

// words says what happened, and in which tone.
func (d *told) words(kind client.TailKind) (words, tone string) {
	switch kind {
	case client.TailAccepted:
		return fmt.Sprintf("%d on %s", d.Sources, d.Lane), ""
	case client.TailChanged:
		if d.Change == "uploaded" {
			return fmt.Sprintf("uploaded, now %d", d.Sources), d.State
		}
		return d.Change, d.State
	case client.TailOutcome, client.TailCompleted:
		codes := slices.SortedFunc(maps.Keys(d.ByCode), func(a, b string) int {
			return cmp.Or(cmp.Compare(d.ByCode[b], d.ByCode[a]), cmp.Compare(a, b)) // what most have can be seen where words are cut
		})
		tone = "sent"
		for i, c := range codes {
			if c != "sent" {
				tone = "held"
			}
			codes[i] = fmt.Sprintf("%s %d", c, d.ByCode[c])
		}
		return strings.Join(codes, ", "), tone
	case client.TailHeld, client.TailQuarantined:
		return d.Code, "held"
	case client.TailBreaker:
		if d.By != "" {
			return strings.TrimSuffix(d.To+" by "+d.By+": "+d.Reason, ": "), "held"
		}
		if d.To == "open" {
			return d.To + ": " + d.Cause, "failed"
		}
		return d.To, "held"
	case client.TailCredential:
		return d.Reason, "failed"
	case client.TailReplay:
		return strings.TrimSuffix(d.State+": "+d.Why, ": "), d.State
	case client.TailAudit:
		return d.Who + " " + d.Action, ""
	case client.TailReconciled, client.TailGap:
	}
	return d.State, ""
}
