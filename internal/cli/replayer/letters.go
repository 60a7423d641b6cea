package replayer

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/visible"
)

type groupsCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
	Limit   int     `default:"100" help:"Groups at the most, 1 to 1000."`
}

// Run shows the groups.
func (c *groupsCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		g, err := d.DeadLetterGroups(ctx, c.Chosen.filter(), c.Limit)
		if err != nil {
			return err
		}
		warnExpiry(con, g.Expiry)
		return display.Page(c.Letters.Output, con.Out, g, g.Items, func() error { return printGroups(con, c.Letters.Output.Wide(), &g) })
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
func (c *listCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		if c.AllPages && c.Cursor == "" && c.Letters.Output.Format == "ndjson" {
			return display.Stream(con.Out, d.DeadLetters(ctx, c.Chosen.filter()), 0)
		}
		l, err := c.gather(ctx, d)
		if err != nil {
			return err
		}
		err = display.Page(c.Letters.Output, con.Out, l, l.Items, func() error { return printLetters(con, c.Letters.Output.Wide(), l.Items) })
		if l.NextCursor != "" {
			_, _ = fmt.Fprintf(con.Err, "there are more: add --cursor %s\n", l.NextCursor)
		}
		return err
	})
}

// gather asks for pages until there are as many letters as wanted: a search
// answers with what a while of reading finds, which may be nothing.
func (c *listCmd) gather(ctx context.Context, d *session) (client.DeadLetterList, error) {
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
func (c *showCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		l, err := d.DeadLetter(ctx, c.ID, c.Body)
		if err != nil {
			return missing("letter", c.ID, err)
		}
		return c.Letters.Output.One(con.Out, l, func() error { return printLetter(con, &l) })
	})
}

type statsCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
}

// Run shows sums.
func (c *statsCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		s, err := d.DeadLetterStats(ctx, c.Chosen.filter())
		if err != nil {
			return err
		}
		warnExpiry(con, s.Expiry)
		return c.Letters.Output.One(con.Out, s, func() error { return printStats(con, &s) })
	})
}

type discardCmd struct {
	Letters letters `embed:""`
	Chosen  act     `embed:""`
	Reason  string  `required:"" help:"Kept in the tombstone."`
	Yes     bool    `help:"Do not ask."`

	Approval string `placeholder:"ID" help:"A second person's approval, where the tenant's settings ask for one."`
}

// Run discards.
func (c *discardCmd) Run(ctx context.Context, con *display.Console) error {
	if err := c.Chosen.check(); err != nil {
		return err
	}
	return c.Letters.with(ctx, con, func(d *session) error {
		req := client.DiscardRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Reason: c.Reason, By: whoami()}
		if !c.Yes {
			question := fmt.Sprintf("Discard %d letters for good?", len(req.Filter.IDs))
			if len(req.Filter.IDs) == 0 {
				s, err := d.DeadLetterStats(ctx, req.Filter)
				if err != nil {
					return err
				}
				if req.Expect = s.ByState[client.DeadLetterParked]; req.Expect == 0 {
					return c.Chosen.orNear(ctx, d, &client.Problem{Code: "nothing_matches"})
				}
				question = fmt.Sprintf("Discard %s letters for good?", progress.Group(req.Expect))
			}
			if !con.Confirm(question) {
				return errors.New("nothing was discarded")
			}
		}
		done, err := d.Approved(c.Approval).Discard(ctx, req)
		if err != nil {
			return c.Chosen.orNear(ctx, d, err)
		}
		return c.Letters.Output.One(con.Out, done, func() error {
			_, err := fmt.Fprintf(con.Out, "%s letters discarded\n", progress.Group(done.Discarded))
			return err
		})
	})
}

// warnExpiry says on standard error what is soon given up.
func warnExpiry(con *display.Console, e *client.DeadLetterExpiry) {
	if e == nil || e.Letters == 0 {
		return
	}
	_, _ = fmt.Fprintf(con.Err, "%s letters age out within %s, the first at %s: replay, export or discard them\n",
		progress.Group(e.Letters), visible.Field(days(e.Within)), con.Time(e.FirstAt))
}
