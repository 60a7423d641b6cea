package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// chosen is the filter that most commands take.
type chosen struct {
	Queue        string        `group:"letters" placeholder:"NAME" help:"Source queue, such as deliveries-high."`
	Code         push.Code     `group:"letters" placeholder:"CODE" help:"Outcome code, of the death or of the last attempt."`
	Fingerprint  string        `group:"letters" placeholder:"F" help:"Of a group: see groups."`
	Notification string        `group:"letters" placeholder:"ID" help:"Of one notification or batch."`
	Tenant       string        `group:"letters" placeholder:"NAME" help:"Of one tenant."`
	Text         string        `group:"letters" placeholder:"WORDS" help:"In the evidence, the ids or the labels."`
	Older        time.Duration `group:"letters" placeholder:"AGE" help:"Dead for longer than that, such as 2h."`
	All          bool          `group:"letters" help:"All of them: needed where no other filter is given."`
}

func (c chosen) filter() push.LetterFilter {
	f := push.LetterFilter{Queue: c.Queue, Code: c.Code, Fingerprint: c.Fingerprint, Notification: push.ID(c.Notification), Tenant: c.Tenant, Text: c.Text}
	if c.Older > 0 {
		f.DeadBefore = time.Now().Add(-c.Older)
	}
	return f
}

type drainCmd struct {
	Config config.Replayer `embed:""`
	Watch  bool            `help:"Go on until told to stop, with health and metrics."`
}

// Run drains.
func (c *drainCmd) Run(ctx context.Context, con *console) error {
	log, err := app.NewLogger(c.Config.Log, con.err)
	if err != nil {
		return err
	}
	if c.Watch {
		return app.DrainWatch(ctx, c.Config, log.With(zap.String("service", "dlq-replayer")))
	}
	return letters{Store: c.Config.Store}.with(ctx, func(room *replay.Room) error {
		d, err := room.Drain(ctx)
		_, _ = fmt.Fprintf(con.out, "%s messages drained, %s letters, %s of them new; %s left for a newer program\n",
			progress.Group(d.Messages), progress.Group(d.Letters), progress.Group(d.Stored), progress.Group(d.Left))
		return err
	})
}

type groupsCmd struct {
	Letters letters `embed:""`
	Chosen  chosen  `embed:""`
}

// Run shows the groups.
func (c *groupsCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		groups, err := room.Groups(ctx, c.Chosen.filter())
		if err != nil || c.Letters.Output.json() {
			return firstError(err, func() error { return printJSON(con.out, groups) })
		}
		return table(con.out, "FINGERPRINT\tPARKED\tREPLAYED\tCODE\tLAST\tSINCE\tUNTIL\tPATTERN", func(w io.Writer) {
			for i := range groups {
				g := &groups[i]
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.Fingerprint, progress.Group(g.ByState[push.LetterParked]),
					progress.Group(g.ByState[push.LetterReplayed]), g.Code, g.LastCode, clock(&g.FirstDeadAt), clock(&g.LastDeadAt), g.Pattern)
			}
		})
	})
}

type listCmd struct {
	Letters letters `embed:""`
	Chosen  chosen  `embed:""`
	Limit   int     `default:"50" help:"Rows at the most, 1 to 1000."`
}

// Run lists.
func (c *listCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		ls, next, err := room.List(ctx, c.Chosen.filter(), "", min(max(c.Limit, 1), 1000))
		if err != nil || c.Letters.Output.json() {
			return firstError(err, func() error { return printJSON(con.out, ls) })
		}
		err = table(con.out, "ID\tSTATE\tCODE\tLAST\tATTEMPTS\tDEAD\tQUEUE\tNOTIFICATION\tEVIDENCE", func(w io.Writer) {
			for i := range ls {
				l := &ls[i]
				_, _ = fmt.Fprintf(w, "%s\t%v\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", l.ID, l.State, l.Code, l.LastCode, l.Attempts, clock(&l.DeadAt), l.Queue, l.Notification, l.Detail)
			}
		})
		if next != "" {
			_, _ = fmt.Fprintln(con.err, "there are more: narrow the filter, or raise --limit")
		}
		return err
	})
}

type showCmd struct {
	Letters letters `embed:""`
	ID      string  `arg:"" help:"Of the letter, dlt_…"`
}

// Run shows one letter.
func (c *showCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		d, err := room.Get(ctx, push.ID(c.ID))
		if err != nil || c.Letters.Output.json() {
			return firstError(err, func() error { return printJSON(con.out, d) })
		}
		return table(con.out, "", func(w io.Writer) {
			row := func(name string, v any) { _, _ = fmt.Fprintf(w, "%s\t%v\n", name, v) }
			row("id", d.ID)
			row("state", d.State)
			row("code", d.Code)
			row("last", d.LastCode)
			row("evidence", d.Detail)
			row("attempts", d.Attempts)
			row("queue", d.Queue)
			row("notification", d.Notification)
			row("recipient", d.Recipient.Address)
			row("accepted", clock(&d.AcceptedAt))
			row("dead", clock(&d.DeadAt))
			row("ledger now", d.Ledger)
			row("a replay", fmt.Sprintf("%s %s", d.Prediction, d.Why))
			row("fingerprint", d.Fingerprint)
			for _, a := range d.Evidence {
				row("attempt", fmt.Sprintf("%d at %s: %s %s", a.Attempt, clock(&a.At), a.Code, a.Detail))
			}
		})
	})
}

type discardCmd struct {
	Letters letters `embed:""`
	Chosen  chosen  `embed:""`
	Reason  string  `required:"" help:"Kept in the tombstone."`
	Yes     bool    `help:"Do not ask."`
}

// Run discards.
func (c *discardCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		if !c.Yes && !con.confirm("Discard these letters for good?") {
			return usagef("nothing was discarded")
		}
		n, err := room.Discard(ctx, replay.DiscardRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Reason: c.Reason, By: "dlq-replayer"})
		_, _ = fmt.Fprintf(con.out, "%s letters discarded\n", progress.Group(n))
		return err
	})
}

// confirm asks; only y or yes is a yes.
func (c *console) confirm(question string) bool {
	_, _ = fmt.Fprintf(c.err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(c.in, &answer)
	return answer == "y" || answer == "yes"
}

// table prints rows in columns under a heading, which may be empty.
func table(out io.Writer, heading string, rows func(w io.Writer)) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if heading != "" {
		_, _ = fmt.Fprintln(w, heading)
	}
	rows(w)
	return w.Flush()
}

func firstError(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

// sorted returns a count's keys, the most first.
func sorted[K ~string](m map[K]int64) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return int(m[b] - m[a]) })
}
