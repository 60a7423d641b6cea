package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// edits are what a replay changes about the letters that it sends.
type edits struct {
	ExpireAfter time.Duration `group:"edit" placeholder:"TIME" help:"New deadline of every letter, counted from when it is sent; without it expired letters stay."`
	Priority    push.Priority `group:"edit" placeholder:"P" help:"high, normal or bulk: the lane; default the replay lane, behind live traffic."`
	Patch       string        `group:"edit" placeholder:"FILE" help:"RFC 6902 JSON Patch that is applied to each message."`
}

func (e edits) read() (replay.Edits, error) {
	out := replay.Edits{ExpireAfter: e.ExpireAfter, Priority: e.Priority}
	if e.Patch == "" {
		return out, nil
	}
	patch, err := os.ReadFile(e.Patch)
	if err != nil {
		return out, usagef("--patch: %v", err)
	}
	out.Patch = patch
	return out, nil
}

type simulateCmd struct {
	Letters letters `embed:""`
	Chosen  chosen  `embed:""`
	Edits   edits   `embed:""`
	Rate    float64 `help:"Letters a second, for the estimate of time."`
}

// Run simulates.
func (c *simulateCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		s, err := c.simulate(ctx, room)
		if err != nil || c.Letters.Output.json() {
			return firstError(err, func() error { return printJSON(con.out, s) })
		}
		return printSimulation(con.out, &s)
	})
}

func (c *simulateCmd) simulate(ctx context.Context, room *replay.Room) (replay.Simulation, error) {
	e, err := c.Edits.read()
	if err != nil {
		return replay.Simulation{}, err
	}
	return room.Simulate(ctx, replay.SimulateRequest{Filter: c.Chosen.filter(), All: c.Chosen.All, Edits: e, Rate: c.Rate, By: "dlq-replayer"})
}

func printSimulation(out io.Writer, s *replay.Simulation) error {
	_, _ = fmt.Fprintf(out, "simulation %s: %s letters, %s would be sent in about %s\n\n", s.ID, progress.Group(s.Total), progress.Group(s.Sends), s.Time.Round(time.Second))
	err := table(out, "PREDICTED\tLETTERS", func(w io.Writer) {
		for _, p := range sorted(s.Counts) {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", p, progress.Group(s.Counts[p]))
		}
	})
	if s.PossibleDuplicates > 0 {
		_, _ = fmt.Fprintf(out, "\n%s of them may have arrived before; devices replace the earlier copy\n", progress.Group(s.PossibleDuplicates))
	}
	return err
}

// replayCmd controls replays.
type replayCmd struct {
	Run    replayRunCmd    `cmd:"" help:"Send letters again: the set of a simulation, or of a filter that is simulated first."`
	Resume replayResumeCmd `cmd:"" help:"Go on with a replay that was paused, stopped itself, or died with its process."`
	Status replayStatusCmd `cmd:"" help:"Show how a replay stands."`
	Pause  replayPauseCmd  `cmd:"" help:"Pause a replay that another process executes."`
	Cancel replayCancelCmd `cmd:"" help:"End a replay for good; what was sent stays sent."`
}

type replayRunCmd struct {
	Simulate     simulateCmd `embed:""`
	Simulation   string      `placeholder:"ID" help:"Send the set of this simulation, which is at most an hour old."`
	Canary       float64     `help:"Share that is sent first, such as 0.01; the rest follows when its outcomes are known."`
	StopIfRefail float64     `help:"Stop when more than this share failed again, such as 0.2."`
	Max          int64       `help:"Send so many at most."`
	Yes          bool        `help:"Do not ask."`
}

// Run starts a replay and executes it.
func (c *replayRunCmd) Run(ctx context.Context, con *console) error {
	return c.Simulate.Letters.with(ctx, func(room *replay.Room) error {
		id := push.ID(c.Simulation)
		if id == "" {
			s, err := c.Simulate.simulate(ctx, room)
			if err != nil {
				return err
			}
			if err := printSimulation(con.err, &s); err != nil {
				return err
			}
			if !c.Yes && !con.confirm(fmt.Sprintf("Send %s letters?", progress.Group(s.Sends))) {
				return usagef("nothing was sent; --simulation %s sends that set within the hour", s.ID)
			}
			id = s.ID
		}
		run, err := room.Start(ctx, replay.StartRequest{Simulation: id, By: "dlq-replayer", Options: replay.Options{
			Canary: c.Canary, Rate: c.Simulate.Rate, StopIfRefail: c.StopIfRefail, Max: c.Max,
		}})
		if err != nil {
			return err
		}
		return execute(ctx, con, room, run.ID, c.Simulate.Letters.Output)
	})
}

// execute runs a replay until it ends. An interrupt pauses it.
func execute(ctx context.Context, con *console, room *replay.Room, id push.ID, o output) error {
	_, _ = fmt.Fprintf(con.err, "replay %s is running; Ctrl-C pauses it\n", id)
	watching, stop := context.WithCancel(ctx)
	go follow(watching, con, room, id)
	s, err := room.Run(ctx, id)
	stop()
	if ctx.Err() != nil {
		if _, pauseErr := room.Pause(context.WithoutCancel(ctx), id, "dlq-replayer"); pauseErr != nil {
			return errors.Join(err, pauseErr)
		}
		_, _ = fmt.Fprintf(con.err, "paused; go on with: dlq-replayer replay resume %s\n", id)
		return context.Canceled
	}
	return errors.Join(err, printStatus(con.out, &s, o))
}

// follow prints a line every few seconds.
func follow(ctx context.Context, con *console, room *replay.Room, id push.ID) {
	const every = 2 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s, err := room.Status(ctx, id); err == nil {
			_, _ = fmt.Fprintf(con.err, "%s of %s sent, %s outcomes known, %s failed again\n",
				progress.Group(s.Sent), progress.Group(s.Total), progress.Group(s.Known), progress.Group(s.Refailed))
		}
	}
}

func printStatus(out io.Writer, s *replay.Status, o output) error {
	if o.json() {
		return printJSON(out, s)
	}
	_, err := fmt.Fprintf(out, "replay %s is %s%s: %s of %s letters sent, %s outcomes known, %s failed again\n", s.ID, s.State, because(s.Why),
		progress.Group(s.Sent), progress.Group(s.Total), progress.Group(s.Known), progress.Group(s.Refailed))
	return err
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

// oneReplay names the replay that a command is about.
type oneReplay struct {
	Letters letters `embed:""`
	ID      string  `arg:"" help:"Of the replay, rpl_…"`
}

type replayResumeCmd struct{ oneReplay }

// Run resumes and executes.
func (c *replayResumeCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		s, err := room.Status(ctx, push.ID(c.ID))
		if err != nil {
			return err
		}
		if s.State != replay.RunRunning { // running: its process died
			if _, err := room.Resume(ctx, s.ID, "dlq-replayer"); err != nil {
				return err
			}
		}
		return execute(ctx, con, room, s.ID, c.Letters.Output)
	})
}

type replayStatusCmd struct{ oneReplay }

// Run shows a replay.
func (c *replayStatusCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		s, err := room.Status(ctx, push.ID(c.ID))
		return firstError(err, func() error { return printStatus(con.out, &s, c.Letters.Output) })
	})
}

type replayPauseCmd struct{ oneReplay }

// Run pauses a replay.
func (c *replayPauseCmd) Run(ctx context.Context, con *console) error {
	return c.control(ctx, con, (*replay.Room).Pause)
}

type replayCancelCmd struct{ oneReplay }

// Run cancels a replay.
func (c *replayCancelCmd) Run(ctx context.Context, con *console) error {
	return c.control(ctx, con, (*replay.Room).Cancel)
}

func (c *oneReplay) control(ctx context.Context, con *console, op func(*replay.Room, context.Context, push.ID, string) (replay.Run, error)) error {
	return c.Letters.with(ctx, func(room *replay.Room) error {
		r, err := op(room, ctx, push.ID(c.ID), "dlq-replayer")
		return firstError(err, func() error {
			_, err := fmt.Fprintf(con.out, "replay %s is %s\n", r.ID, r.State)
			return err
		})
	})
}
