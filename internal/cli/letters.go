package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/config"
)

type drainCmd struct {
	Config config.Replayer  `embed:""`
	Keep   config.Retention `embed:""`
	Watch  bool             `help:"Go on until told to stop, with health and metrics; also execute replays that nobody executes, and age letters out."`
}

// Run drains.
func (c *drainCmd) Run(ctx context.Context, con *console) error {
	log, err := app.NewLogger(c.Config.Log, con.err)
	if err != nil {
		return err
	}
	if c.Watch {
		return app.DrainWatch(ctx, c.Config, c.Keep, log.With(zap.String("service", "dlq-replayer")))
	}
	room, closeRoom, err := app.OpenReplay(ctx, c.Config.Store, log)
	if err != nil {
		return err
	}
	d, err := room.Drain(ctx)
	_, _ = fmt.Fprintf(con.out, "%s messages drained, %s letters, %s of them new; %s left for a newer program\n",
		progress.Group(d.Messages), progress.Group(d.Letters), progress.Group(d.Stored), progress.Group(d.Left))
	if d.Mended > 0 {
		_, _ = fmt.Fprintf(con.out, "%s letters held others that had been moved off their queue; those are letters of their own again\n", progress.Group(d.Mended))
	}
	return errors.Join(err, closeRoom(context.WithoutCancel(ctx)))
}

type groupsCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
	Limit   int     `default:"100" help:"Groups at the most, 1 to 1000."`
}

// Run shows the groups.
func (c *groupsCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		g, err := d.DeadLetterGroups(ctx, c.Chosen.filter(), c.Limit)
		if err != nil {
			return err
		}
		warnExpiry(con, g.Expiry)
		return page(c.Letters.Output, con.out, g, g.Items, func() error { return printGroups(con.out, &g) })
	})
}

type listCmd struct {
	Letters  letters `embed:""`
	Chosen   read    `embed:""`
	Limit    int     `default:"50" help:"Rows at the most, 1 to 1000."`
	Cursor   string  `placeholder:"C" help:"Go on where the list before ended."`
	AllPages bool    `help:"All of them, whatever --limit says; as ndjson they come one by one."`
}

// Run lists.
func (c *listCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		if c.AllPages && c.Cursor == "" && c.Letters.Output.Format == "ndjson" {
			return stream(con.out, d.DeadLetters(ctx, c.Chosen.filter()), 0)
		}
		l, err := c.gather(ctx, d)
		if err != nil {
			return err
		}
		err = page(c.Letters.Output, con.out, l, l.Items, func() error { return printLetters(con.out, l.Items) })
		if l.NextCursor != "" {
			_, _ = fmt.Fprintf(con.err, "there are more: add --cursor %s\n", l.NextCursor)
		}
		return err
	})
}

// gather asks for pages until there are as many letters as wanted: a search
// answers with what a while of reading finds, which may be nothing.
func (c *listCmd) gather(ctx context.Context, d *desk) (client.DeadLetterList, error) {
	const most = 1000
	want := min(max(c.Limit, 1), most)
	out := client.DeadLetterList{Items: []client.DeadLetter{}, NextCursor: c.Cursor}
	for {
		limit := most
		if !c.AllPages {
			limit = want - len(out.Items)
		}
		l, err := d.DeadLetterPage(ctx, c.Chosen.filter(), out.NextCursor, limit)
		if err != nil {
			return out, err
		}
		out.Items, out.NextCursor = append(out.Items, l.Items...), l.NextCursor
		if out.NextCursor == "" || !c.AllPages && len(out.Items) >= want {
			return out, nil
		}
	}
}

type showCmd struct {
	Letters letters `embed:""`
	ID      string  `arg:"" help:"Of the letter, dlt_…"`
	Body    bool    `help:"With the bytes of a message, which may hold addresses."`
}

// Run shows one letter.
func (c *showCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		l, err := d.DeadLetter(ctx, c.ID, c.Body)
		if err != nil {
			return missing("letter", c.ID, err)
		}
		return c.Letters.Output.one(con.out, l, func() error { return printLetter(con.out, &l) })
	})
}

type statsCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
}

// Run shows sums.
func (c *statsCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		s, err := d.DeadLetterStats(ctx, c.Chosen.filter())
		if err != nil {
			return err
		}
		warnExpiry(con, s.Expiry)
		return c.Letters.Output.one(con.out, s, func() error { return printStats(con.out, &s) })
	})
}

type discardCmd struct {
	Letters letters `embed:""`
	Chosen  act     `embed:""`
	Reason  string  `required:"" help:"Kept in the tombstone."`
	Yes     bool    `help:"Do not ask."`
}

// Run discards.
func (c *discardCmd) Run(ctx context.Context, con *console) error {
	if err := c.Chosen.check(); err != nil {
		return err
	}
	return c.Letters.with(ctx, func(d *desk) error {
		req := client.DiscardRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Reason: c.Reason, By: whoami()}
		if !c.Yes {
			question := fmt.Sprintf("Discard %d letters for good?", len(req.Filter.IDs))
			if len(req.Filter.IDs) == 0 {
				s, err := d.DeadLetterStats(ctx, req.Filter)
				if err != nil {
					return err
				}
				if req.Expect = s.ByState["parked"]; req.Expect == 0 {
					return errors.New("no dead letter matches: nothing is parked that the filter takes")
				}
				question = fmt.Sprintf("Discard %s letters for good?", progress.Group(req.Expect))
			}
			if !con.confirm(question) {
				return errors.New("nothing was discarded")
			}
		}
		done, err := d.Discard(ctx, req)
		if err != nil {
			return err
		}
		return c.Letters.Output.one(con.out, done, func() error {
			_, err := fmt.Fprintf(con.out, "%s letters discarded\n", progress.Group(done.Discarded))
			return err
		})
	})
}

// confirm asks; only y or yes is a yes.
func (c *console) confirm(question string) bool {
	_, _ = fmt.Fprintf(c.err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(c.in, &answer)
	answer = strings.ToLower(answer)
	return answer == "y" || answer == "yes"
}

// warnExpiry says on standard error what is soon given up.
func warnExpiry(con *console, e *client.DeadLetterExpiry) {
	if e == nil || e.Letters == 0 {
		return
	}
	_, _ = fmt.Fprintf(con.err, "%s letters age out within %s, the first at %s: replay, export or discard them\n",
		progress.Group(e.Letters), days(e.Within), clock(e.FirstAt))
}
