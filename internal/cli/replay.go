package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
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

type replayRunCmd struct {
	Simulate     simulateCmd `embed:""`
	Simulation   string      `placeholder:"ID" help:"Send the set of this simulation, which is at most an hour old."`
	Canary       share       `placeholder:"SHARE" help:"Share that is sent first, such as 1%; the rest follows when its outcomes are known."`
	StopIfRefail share       `placeholder:"SHARE" help:"Stop when more than this share failed again, such as 20%."`
	Max          int64       `help:"Send so many at most."`
	Yes          bool        `help:"Do not ask."`
}

// Help implements kong's HelpProvider.
func (replayRunCmd) Help() string {
	return `With neither --simulation nor --yes it simulates, shows what it found, and asks.

    dlq-replayer replay run --fingerprint F --canary 1% --stop-if-refail 20%
    dlq-replayer replay run --code fcm.unavailable --rate 200 --expire-after 1h --set notification.title="Sorry, late"`
}

// Run starts a replay and follows it.
func (c *replayRunCmd) Run(ctx context.Context, con *console) error {
	return c.Simulate.Letters.with(ctx, func(d *desk) error {
		id := c.Simulation
		if id != "" && (c.Simulate.Chosen.given() || c.Simulate.Edits.given()) {
			return usagef("--simulation: its letters and edits are what was simulated; leave out the filter, --all and the edits, or leave out --simulation to simulate anew")
		}
		if id == "" {
			s, err := c.Simulate.simulate(ctx, d)
			if err != nil {
				return err
			}
			if err := printSimulation(con.err, &s); err != nil {
				return err
			}
			if !c.Yes && !con.confirm(fmt.Sprintf("Send %s letters?", progress.Group(s.Sends))) {
				return fmt.Errorf("nothing was sent; --simulation %s sends that set within the hour", s.ID)
			}
			id = s.ID
		}
		if err := mentionOthers(ctx, con, d); err != nil {
			return err
		}
		run, err := d.StartReplay(ctx, client.ReplayRequest{
			Simulation: id, Canary: float64(c.Canary), Rate: c.Simulate.Rate, StopIfRefail: float64(c.StopIfRefail), Max: c.Max, By: whoami(),
		})
		if err != nil {
			return missing("simulation", id, err)
		}
		return follow(ctx, con, d, run.ID, c.Simulate.Letters.Output)
	})
}

// mentionOthers says which replays are running too: of letters that are in both
// sets, each goes with one of them.
func mentionOthers(ctx context.Context, con *console, d *desk) error {
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
		_, _ = fmt.Fprintf(con.err, "running as well: %s; letters that are in both sets are sent by one of them, once\n", strings.Join(others, ", "))
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
func (c *replayResumeCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
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
func (c *replayStatusCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		r, err := d.Replay(ctx, c.ID)
		if err != nil {
			return missing("replay", c.ID, err)
		}
		return c.Letters.Output.one(con.out, r, func() error { return printReplay(con.out, &r) })
	})
}

type replayListCmd struct {
	Letters  letters `embed:""`
	Limit    int     `default:"50" help:"Rows at the most, 1 to 1000."`
	Cursor   string  `placeholder:"C" help:"Go on where the list before ended."`
	AllPages bool    `help:"All of them, whatever --limit says."`
}

// Run lists replays.
func (c *replayListCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
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
		err := page(c.Letters.Output, con.out, l, l.Items, func() error { return printReplays(con.out, l.Items) })
		if l.NextCursor != "" {
			_, _ = fmt.Fprintf(con.err, "there are more: add --cursor %s\n", l.NextCursor)
		}
		return err
	})
}

type replayPauseCmd struct{ oneReplay }

// Run pauses a replay.
func (c *replayPauseCmd) Run(ctx context.Context, con *console) error {
	return c.control(ctx, con, (*client.Client).PauseReplay)
}

type replayCancelCmd struct{ oneReplay }

// Run cancels a replay.
func (c *replayCancelCmd) Run(ctx context.Context, con *console) error {
	return c.control(ctx, con, (*client.Client).CancelReplay)
}

func (c *oneReplay) control(ctx context.Context, con *console, op func(c *client.Client, ctx context.Context, id, by string) (client.Replay, error)) error {
	return c.Letters.with(ctx, func(d *desk) error {
		r, err := op(d.Client, ctx, c.ID, whoami())
		if err != nil {
			return missing("replay", c.ID, err)
		}
		return c.Letters.Output.one(con.out, r, func() error {
			_, err := fmt.Fprintf(con.out, "replay %s is %s\n", r.ID, r.State)
			return err
		})
	})
}

func printReplay(out io.Writer, r *client.Replay) error {
	_, err := fmt.Fprintf(out, "replay %s is %s%s: %s of %s letters sent%s\n", r.ID, r.State, because(r.Why),
		progress.Group(r.Sent), progress.Group(r.Total), progress.Outcomes(r))
	if err != nil {
		return err
	}
	err = table(out, "", func(w io.Writer) {
		for _, code := range sorted(r.ByOutcome) {
			name := code
			if code == "open" {
				name = "no outcome yet"
			}
			_, _ = fmt.Fprintf(w, "  %s\t%s\n", name, progress.Group(r.ByOutcome[code]))
		}
		for _, p := range sorted(r.Skipped) {
			_, _ = fmt.Fprintf(w, "  not sent: %s\t%s\n", p, progress.Group(r.Skipped[p]))
		}
	})
	if err == nil && r.Unwatched > 0 {
		_, err = fmt.Fprintln(out, "not watched: whole events, notifications and chunks that went back to their queues; what dies again is a new letter (dlq-replayer drain)")
	}
	return err
}

func printReplays(out io.Writer, rs []client.Replay) error {
	return table(out, "ID\tSTATE\tPHASE\tLETTERS\tSTARTED\tBY\tWHY", func(w io.Writer) {
		for i := range rs {
			r := &rs[i]
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, r.Phase, progress.Group(r.Total), clock(&r.CreatedAt), r.By, r.Why)
		}
	})
}
