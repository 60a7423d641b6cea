package replayer

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/visible"
)

// replayCmd controls replays.
type replayCmd struct {
	Run    replayRunCmd    `cmd:"" help:"Send letters again: the set of a simulation, or of a filter that is simulated first."`
	Resume replayResumeCmd `cmd:"" help:"Go on with a replay that was paused, stopped itself, or died with its process."`
	Status replayStatusCmd `cmd:"" help:"Show how a replay stands."`
	List   replayListCmd   `cmd:"" help:"List replays, oldest first."`
	Pause  replayPauseCmd  `cmd:"" help:"Pause a replay, whoever executes it."`
	Cancel replayCancelCmd `cmd:"" help:"End a replay for good; what was sent stays sent."`
}

// mentionOthers says which replays are running too: of letters that are in both
// sets, each goes with one of them.
func mentionOthers(ctx context.Context, con *display.Console, d *session) error {
	var others []string
	for r, err := range d.Replays(ctx) {
		if err != nil {
			return err
		}
		if r.State == client.ReplayRunning {
			others = append(others, r.ID)
		}
	}
	if len(others) > 0 {
		_, _ = fmt.Fprintf(con.Err, "running as well: %s; letters that are in both sets are sent by one of them, once\n",
			visible.Field(strings.Join(others, ", ")))
	}
	return nil
}

// oneReplay names the replay that a command is about.
type oneReplay struct {
	Letters letters `embed:""`
	ID      string  `arg:"" help:"Of the replay, rpl_…"`
}

type replayResumeCmd struct{ oneReplay }

// Run resumes and follows.
func (c *replayResumeCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		r, err := d.Replay(ctx, c.ID)
		if err != nil {
			return missing("replay", c.ID, err)
		}
		if r.State != client.ReplayRunning { // running: its process died, or executes it still
			if _, err := d.ResumeReplay(ctx, c.ID, whoami()); err != nil {
				return err
			}
		}
		return follow(ctx, con, d, c.ID, c.Letters.Output)
	})
}

type replayStatusCmd struct{ oneReplay }

// Run shows a replay.
func (c *replayStatusCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		r, err := d.Replay(ctx, c.ID)
		if err != nil {
			return missing("replay", c.ID, err)
		}
		return c.Letters.Output.One(con.Out, r, func() error { return printReplay(con, &r) })
	})
}

type replayListCmd struct {
	Letters  letters `embed:""`
	Limit    int     `default:"50" help:"Rows at the most, 1 to 1000."`
	Cursor   string  `placeholder:"C" help:"Go on where the list before ended."`
	AllPages bool    `help:"All of them, whatever --limit says."`
}

// Run lists replays.
func (c *replayListCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		const most = 1000
		l := client.ReplayList{Items: []client.Replay{}, NextCursor: c.Cursor}
		for {
			limit := most
			if !c.AllPages {
				limit = min(max(c.Limit, 1), most)
			}
			part, err := d.ReplayPage(ctx, l.NextCursor, limit)
			if err != nil {
				return err
			}
			l.Items, l.NextCursor = append(l.Items, part.Items...), part.NextCursor
			if l.NextCursor == "" || !c.AllPages {
				break
			}
		}
		err := display.Page(c.Letters.Output, con.Out, l, l.Items, func() error { return printReplays(con, c.Letters.Output.Wide(), l.Items) })
		if l.NextCursor != "" {
			_, _ = fmt.Fprintf(con.Err, "there are more: add --cursor %s\n", l.NextCursor)
		}
		return err
	})
}

type replayPauseCmd struct{ oneReplay }

// Run pauses a replay.
func (c *replayPauseCmd) Run(ctx context.Context, con *display.Console) error {
	return c.control(ctx, con, (*client.Client).PauseReplay)
}

type replayCancelCmd struct{ oneReplay }

// Run cancels a replay.
func (c *replayCancelCmd) Run(ctx context.Context, con *display.Console) error {
	return c.control(ctx, con, (*client.Client).CancelReplay)
}

func (c *oneReplay) control(ctx context.Context, con *display.Console,
	op func(c *client.Client, ctx context.Context, id, by string) (client.Replay, error),
) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		r, err := op(d.Client, ctx, c.ID, whoami())
		if err != nil {
			return missing("replay", c.ID, err)
		}
		return c.Letters.Output.One(con.Out, r, func() error {
			_, err := fmt.Fprintf(con.Out, "replay %s is %s\n", visible.Field(r.ID), visible.Field(string(r.State)))
			return err
		})
	})
}

func printReplay(con *display.Console, r *client.Replay) error {
	visible.Fields(r)
	_, err := fmt.Fprintf(con.Out, "replay %s is %s%s: %s of %s letters sent%s\n", r.ID, r.State, because(r.Why),
		progress.Group(r.Sent), progress.Group(r.Total), progress.Outcomes(r))
	if err != nil {
		return err
	}
	t := display.NewTable(display.Column{Least: 20}, display.Column{Right: true})
	for _, code := range sorted(r.ByOutcome) {
		name := string(code)
		if code == client.CodeOpen {
			name = "no outcome yet"
		}
		t.Row("  "+name, progress.Group(r.ByOutcome[code]))
	}
	for _, p := range sorted(r.Skipped) {
		t.Row("  not sent: "+p, progress.Group(r.Skipped[p]))
	}
	if len(r.ByOutcome)+len(r.Skipped) > 0 {
		err = t.Print(con, false, "")
	}
	if err == nil && r.Refailed > 0 {
		_, err = fmt.Fprintf(con.Out, "failed again with %s\n", causes(r))
	}
	if err == nil && r.Unwatched > 0 {
		_, err = io.WriteString(con.Out, display.Wrap("not watched: whole events, notifications and chunks that went back to their queues; "+
			"what dies again is a new letter (dlq-replayer drain)", con.Width, ""))
	}
	if err == nil && r.Next != "" {
		_, err = io.WriteString(con.Out, display.Wrap("next: "+r.Next, con.Width, ""))
	}
	return err
}

// causes lists the codes that letters failed again with, the most first.
func causes(r *client.Replay) string {
	var parts []string
	for _, code := range sorted(r.RefailedBy) {
		parts = append(parts, fmt.Sprintf("%s %s", code, progress.Group(r.RefailedBy[code])))
	}
	return strings.Join(parts, ", ")
}

func printReplays(con *display.Console, wide bool, rs []client.Replay) error {
	t := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "PHASE", Drop: 1},
		display.Column{Name: "LETTERS", Right: true}, display.Column{Name: "AGE"}, display.Column{Name: "STARTED", Wide: true},
		display.Column{Name: "FAILED AGAIN", Least: 12}, display.Column{Name: "BY", Least: 8, Drop: 2},
		display.Column{Name: "WHY", Least: 12, Drop: 3},
	)
	for i := range rs {
		r := &rs[i]
		t.Row(r.ID, string(r.State), r.Phase, progress.Group(r.Total), con.Age(&r.CreatedAt), display.Clock(&r.CreatedAt), causes(r), r.By, r.Why)
	}
	return t.Print(con, wide, "no replays yet: dlq-replayer replay run starts one")
}
