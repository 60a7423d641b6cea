package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
)

// StartRequest asks for a replay of what was simulated.
type StartRequest struct {
	Simulation push.ID
	Options    Options
	By         string
}

// Simulate is [predict.Room.Simulate]: a replay is started on a simulation.
func (r *Room) Simulate(ctx context.Context, req predict.SimulateRequest) (predict.Simulation, error) {
	return r.cfg.Predict.Simulate(ctx, req)
}

// Simulated is [predict.Room.Simulated].
func (r *Room) Simulated(ctx context.Context, id push.ID) (predict.Simulation, error) {
	return r.cfg.Predict.Simulated(ctx, id)
}

// Start records a replay of the letters that a simulation was about, with the
// edits it was made with. [Room.Execute] of this or another process executes it, or a
// caller of [Room.Run].
//
// Errors are push.ErrNotFound, letters.ErrStale, letters.ErrNothing when nothing would be sent,
// and push.Faults.
func (r *Room) Start(ctx context.Context, req StartRequest) (Run, error) {
	if err := req.Options.check().Err(); err != nil {
		return Run{}, err
	}
	s, err := r.cfg.Predict.Simulated(ctx, req.Simulation)
	if err != nil {
		return Run{}, err
	}
	if err := r.cfg.Predict.Fresh(ctx, &s); err != nil {
		return Run{}, err
	}
	if s.Sends == 0 {
		return Run{}, fmt.Errorf("%w: none of the %d letters would be sent", letters.ErrNothing, s.Total)
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
	if err := document.Save(ctx, r.cfg.Documents, kindRun, string(run.ID), run.version, &run, now); err != nil {
		return Run{}, fmt.Errorf("record the replay: %w", err)
	}
	r.changed(ctx, &run, run.By)
	r.lookNow()
	return run, nil
}

// Pause makes the replay's executor stop after the letters in hand.
func (r *Room) Pause(ctx context.Context, id push.ID, by string) (Run, error) {
	return r.change(ctx, id, opPause, by, nil)
}

// Resume lets a paused or stopped replay go on, executed as [Room.Start] says.
// Letters that failed again before no longer count against it.
func (r *Room) Resume(ctx context.Context, id push.ID, by string) (Run, error) {
	tally, err := r.cfg.Letters.LetterTally(ctx, id)
	if err != nil {
		return Run{}, fmt.Errorf("resume %s: %w", id, err)
	}
	run, err := r.change(ctx, id, opResume, by, func(run *Run) {
		run.Failed, run.Known = tally.Refailed()
		run.Owner = ""
	})
	if err == nil {
		r.lookNow()
	}
	return run, err
}

// Cancel ends a replay for good. The letters in hand are still sent, because some of them
// may have been sent already; the others stay parked.
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

// CancelAll cancels every replay of a tenant's letters that has not ended, as [Room.Cancel] does,
// and returns how many. It reads the records of all replays.
func (r *Room) CancelAll(ctx context.Context, tenant, by string) (cancelled int, err error) {
	const page = 100
	for cursor := ""; ; {
		runs, next, err := r.Runs(ctx, cursor, page)
		if err != nil {
			return cancelled, err
		}
		for i := range runs {
			if runs[i].Filter.Tenant != tenant || runs[i].State.Final() {
				continue
			}
			_, err := r.Cancel(ctx, runs[i].ID, by)
			ended := new(push.StateError)
			switch {
			case err == nil:
				cancelled++
			case !errors.As(err, &ended) && !errors.Is(err, push.ErrNotFound):
				return cancelled, err
			}
		}
		if cursor = next; cursor == "" {
			return cancelled, nil
		}
	}
}

// Status returns a replay and what has become of its letters, or
// push.ErrNotFound. Outcomes are as its executor last saw them.
func (r *Room) Status(ctx context.Context, id push.ID) (Status, error) {
	run, err := r.run(ctx, id)
	if err != nil {
		return Status{}, err
	}
	tally, err := r.cfg.Letters.LetterTally(ctx, id)
	if err != nil {
		return Status{}, fmt.Errorf("replay %s: %w", id, err)
	}
	s := Status{Run: run, Tally: tally, Sent: tally.Sent(), Unwatched: tally.Returned}
	s.Refailed, s.Known = tally.Refailed()
	s.RefailedBy = s.causes()
	return s, nil
}

// Runs lists replays, newest last. cursor is "" or what the last call returned;
// "" comes back at the end. limit is 1..1000.
func (r *Room) Runs(ctx context.Context, cursor string, limit int) ([]Run, string, error) {
	docs, next, err := r.cfg.Documents.Documents(ctx, kindRun, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list replays: %w", err)
	}
	runs := make([]Run, 0, len(docs))
	for i := range docs {
		var run Run
		if err := json.Unmarshal(docs[i].Body, &run); err != nil { //nolint:forbidigo // our own
			return nil, "", fmt.Errorf("list replays: %s: %w", docs[i].Name, err)
		}
		run.version = docs[i].Version
		runs = append(runs, run)
	}
	return runs, next, nil
}

func (r *Room) run(ctx context.Context, id push.ID) (Run, error) {
	var run Run
	version, err := document.Load(ctx, r.cfg.Documents, kindRun, string(id), &run)
	if err != nil {
		return Run{}, fmt.Errorf("replay %s: %w", id, err)
	}
	run.version = version
	return run, nil
}

// changeTries bounds how often a change starts over: the executor writes after
// every page, so losing once or twice is common and sixteen times is a fault.
const changeTries = 16

// change applies an operation to a run, which may be executed at the same time.
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
		err = document.Save(ctx, r.cfg.Documents, kindRun, string(id), run.version, &run, run.UpdatedAt)
		if err == nil {
			r.changed(ctx, &run, cmp.Or(by, run.By))
			return run, nil
		}
		if !errors.Is(err, push.ErrConflict) {
			return Run{}, fmt.Errorf("%s %s: %w", op, id, err)
		}
	}
	return Run{}, fmt.Errorf("%s %s: lost %d times: %w", op, id, changeTries, push.ErrConflict)
}

// changed publishes that a run changed its state, and logs that with who did it: of what it did itself, who started it.
func (r *Room) changed(ctx context.Context, run *Run, by string) {
	fields := []zap.Field{
		run.about(), zap.String("state", string(run.State)), zap.String("why", run.Why), zap.String("by", by),
		zap.Int64("letters", run.Total), zap.Duration("took", run.UpdatedAt.Sub(run.CreatedAt)),
	}
	r.cfg.Log.Info("replay changed", append(fields, r.cameOf(ctx, run)...)...)
	if r.cfg.Events == nil {
		return
	}
	e, err := r.event(run)
	if err == nil {
		err = r.cfg.Events.Publish(ctx, []wire.Event{e})
	}
	if err != nil {
		r.cfg.Log.Warn("event not published", run.about(), zap.Error(err))
	}
}

// cameOf says what came of a run's letters so far; nothing while it runs.
func (r *Room) cameOf(ctx context.Context, run *Run) []zap.Field {
	if run.State == RunRunning {
		return nil
	}
	t, err := r.cfg.Letters.LetterTally(ctx, run.ID)
	if err != nil { // the replay's report has it
		return []zap.Field{zap.Error(err)}
	}
	_, known := t.Refailed()
	sent := t.ByOutcome[push.CodeSent]
	fields := []zap.Field{
		zap.Int64("replayed", t.Sent()), zap.Int64("sent", sent), zap.Int64("not_sent", known-sent), zap.Int64("open", t.Awaiting()+t.Replaying),
	}
	if most := run.MostRefailed(); most != push.CodeOpen {
		fields = append(fields, zap.Stringer("most_code", most), zap.Int64("with_most_code", run.RefailedBy[most]))
	}
	return fields
}
