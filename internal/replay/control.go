package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// StartRequest asks for a replay of what was simulated.
type StartRequest struct {
	Simulation push.ID
	Options    Options
	By         string
}

// Start records a replay of the letters that a simulation was about, with the
// edits it was made with. It is executed by this process's [Room.Execute], by
// another process's, or by whoever calls [Room.Run].
// Errors are push.ErrNotFound, ErrStale, ErrNothing when nothing would be sent,
// and push.Faults.
func (r *Room) Start(ctx context.Context, req StartRequest) (Run, error) {
	if err := req.Options.check().Err(); err != nil {
		return Run{}, err
	}
	s, err := r.Simulated(ctx, req.Simulation)
	if err != nil {
		return Run{}, err
	}
	if err := r.fresh(ctx, &s); err != nil {
		return Run{}, err
	}
	if s.Sends == 0 {
		return Run{}, fmt.Errorf("%w: none of the %d letters would be sent", ErrNothing, s.Total)
	}
	now := r.now()
	run := Run{
		ID: push.NewID(push.PrefixReplay), State: RunRunning, By: req.By, Simulation: s.ID, Filter: s.Filter, Total: s.Total,
		Options: req.Options, Edits: s.Edits, Before: s.Before, After: s.After, CreatedAt: now, UpdatedAt: now, version: 1,
	}
	first := phaseMain
	if req.Options.Canary > 0 {
		first = phaseCanary
	}
	run.begin(first, now)
	if err := r.save(ctx, kindRun, run.ID, run.version, &run, now); err != nil {
		return Run{}, fmt.Errorf("record the replay: %w", err)
	}
	r.changed(ctx, &run)
	r.rouse()
	return run, nil
}

// Pause makes whoever executes the replay stop after the letters in hand.
func (r *Room) Pause(ctx context.Context, id push.ID, by string) (Run, error) {
	return r.change(ctx, id, opPause, by, nil)
}

// Resume lets a paused or stopped replay go on, executed as [Room.Start] says.
// What failed again before no longer counts against it.
func (r *Room) Resume(ctx context.Context, id push.ID, by string) (Run, error) {
	tally, err := r.Letters.LetterTally(ctx, id)
	if err != nil {
		return Run{}, fmt.Errorf("resume %s: %w", id, err)
	}
	run, err := r.change(ctx, id, opResume, by, func(run *Run) {
		run.Failed, run.Known = tally.Refailed()
		run.Owner = ""
	})
	if err == nil {
		r.rouse()
	}
	return run, err
}

// Cancel ends a replay for good. Letters that it has in hand are still sent, as
// some of them may be already; the others stay parked.
func (r *Room) Cancel(ctx context.Context, id push.ID, by string) (Run, error) {
	run, err := r.change(ctx, id, opCancel, by, nil)
	if err != nil {
		return Run{}, err
	}
	e := &engine{Room: r, run: run}
	if err := e.recover(ctx); err != nil {
		return run, fmt.Errorf("finish what %s had in hand: %w", id, err)
	}
	return run, nil
}

// Status returns a replay and what has become of its letters, or
// push.ErrNotFound. Outcomes are as its executor last saw them.
func (r *Room) Status(ctx context.Context, id push.ID) (Status, error) {
	run, err := r.run(ctx, id)
	if err != nil {
		return Status{}, err
	}
	tally, err := r.Letters.LetterTally(ctx, id)
	if err != nil {
		return Status{}, fmt.Errorf("replay %s: %w", id, err)
	}
	s := Status{Run: run, Tally: tally, Sent: tally.Sent(), Unwatched: tally.Returned}
	s.Refailed, s.Known = tally.Refailed()
	return s, nil
}

// Runs lists replays, newest last. cursor is "" or what the last call returned;
// "" comes back at the end. limit is 1..1000.
func (r *Room) Runs(ctx context.Context, cursor string, limit int) ([]Run, string, error) {
	docs, next, err := r.Documents.Documents(ctx, kindRun, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list replays: %w", err)
	}
	runs := make([]Run, 0, len(docs))
	for i := range docs {
		var run Run
		if err := json.Unmarshal(docs[i].Body, &run); err != nil {
			return nil, "", fmt.Errorf("list replays: %s: %w", docs[i].Name, err)
		}
		run.version = docs[i].Version
		runs = append(runs, run)
	}
	return runs, next, nil
}

func (r *Room) run(ctx context.Context, id push.ID) (Run, error) {
	var run Run
	version, err := r.load(ctx, kindRun, id, &run)
	if err != nil {
		return Run{}, fmt.Errorf("replay %s: %w", id, err)
	}
	run.version = version
	return run, nil
}

// changeTries bounds how often a change starts over: the executor writes after
// every page, so losing once or twice is common and sixteen times is a fault.
const changeTries = 16

// change applies an operation to a run that may be executed at the moment.
func (r *Room) change(ctx context.Context, id push.ID, op runOp, by string, also func(*Run)) (Run, error) {
	why := ""
	if by != "" {
		why = "by " + by
	}
	for range changeTries {
		run, err := r.run(ctx, id)
		if err != nil {
			return Run{}, err
		}
		if err := run.move(op, why, r.now()); err != nil {
			return Run{}, err
		}
		if also != nil {
			also(&run)
		}
		run.version++
		err = r.save(ctx, kindRun, id, run.version, &run, run.UpdatedAt)
		if err == nil {
			r.changed(ctx, &run)
			return run, nil
		}
		if !errors.Is(err, push.ErrConflict) {
			return Run{}, fmt.Errorf("%s %s: %w", op, id, err)
		}
	}
	return Run{}, fmt.Errorf("%s %s: lost %d times: %w", op, id, changeTries, push.ErrConflict)
}

// changed tells the world that a run changed its state.
func (r *Room) changed(ctx context.Context, run *Run) {
	r.Log.Info("replay changed", zap.String("replay", string(run.ID)), zap.String("state", string(run.State)), zap.String("why", run.Why))
	if r.Events == nil {
		return
	}
	if err := r.Events.Publish(ctx, []wire.Event{r.event(run)}); err != nil {
		r.Log.Warn("event not published", zap.String("replay", string(run.ID)), zap.Error(err))
	}
}
