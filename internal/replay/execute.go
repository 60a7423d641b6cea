package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	// maxExecuted is how many runs one process executes at a time: each has its own
	// pace, and all share the store.
	maxExecuted = 4
	// lookEvery is how often an executor looks for runs that were started elsewhere.
	lookEvery = 2 * time.Second
	// restAfter is how long an executor leaves a run alone after it failed here.
	restAfter = 10 * time.Second
	// runPage is how many runs are listed at once.
	runPage = 100
	// settledFor is how old the runs of a page must be before the page is never
	// read again: ids are made of the clocks of several machines.
	settledFor = time.Hour
)

// executor executes the runs that nobody executes.
type executor struct {
	*Room

	mine map[push.ID]bool      // executed here
	seen map[push.ID]sign      // executed elsewhere
	rest map[push.ID]time.Time // failed here: not before that
	from string                // cursor of the first page that has a run to look at

	progress progress

	wg    sync.WaitGroup
	ended chan ended
}

// sign is the last sign of life of a run's owner, and when it was first seen.
type sign struct {
	owner      string
	run, pulse int64 // versions
	since      time.Time
}

type ended struct {
	id    push.ID
	about zap.Field // for lines of the log
	err   error
}

// Execute executes replays until ctx ends, several at a time: running ones without an
// owner, and those whose owner has shown no sign of life for 15 s. An owner that lives
// nevertheless is fenced off: two executors of one run cannot both send a letter. Any
// number of processes may do this on one store. When ctx ends, the letters in hand are
// finished and the runs are left to others.
func (r *Room) Execute(ctx context.Context) {
	x := &executor{
		Room: r, mine: map[push.ID]bool{}, seen: map[push.ID]sign{}, rest: map[push.ID]time.Time{},
		ended: make(chan ended, maxExecuted),
	}
	defer x.wg.Wait()
	var ailing telemetry.Ailing
	for {
		err := x.look(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(r.cfg.Log, "looking for replays to execute", err)
		again := time.NewTimer(lookEvery)
		select {
		case <-again.C:
		case <-r.wake:
		case done := <-x.ended:
			x.finished(done)
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// lookNow makes this process's executor look at once.
func (r *Room) lookNow() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// look goes over the runs, starts executing those that nobody executes, and shows how far they are.
func (x *executor) look(ctx context.Context) error {
	running := map[push.ID]bool{}
	var open []Run
	settled := true
	for cursor := x.from; ; {
		runs, next, err := x.Runs(ctx, cursor, runPage)
		if err != nil {
			return err
		}
		for i := range runs {
			run := &runs[i]
			if !run.State.Final() || x.now().Sub(run.CreatedAt) < settledFor {
				settled = false
			}
			if !run.State.Final() {
				open = append(open, Run{ID: run.ID, State: run.State, Total: run.Total})
			}
			if run.State != RunRunning {
				continue
			}
			running[run.ID] = true
			if err := x.consider(ctx, run); err != nil {
				return err
			}
		}
		if next == "" {
			break
		}
		if cursor = next; settled {
			x.from = next
		}
	}
	for id := range x.seen {
		if !running[id] {
			delete(x.seen, id)
		}
	}
	for id := range x.rest {
		if !running[id] {
			delete(x.rest, id)
		}
	}
	return x.show(ctx, open)
}

// consider starts executing a run unless another process executes it.
func (x *executor) consider(ctx context.Context, run *Run) error {
	if x.mine[run.ID] || len(x.mine) >= maxExecuted || x.now().Before(x.rest[run.ID]) {
		return nil
	}
	if run.Owner != "" {
		alive, err := x.alive(ctx, run)
		if err != nil || alive {
			return err
		}
		x.cfg.Log.Warn("replay taken over: its owner shows no sign of life", run.about(), zap.String("owner", run.Owner))
	}
	delete(x.seen, run.ID)
	x.mine[run.ID] = true
	x.cfg.Metrics.executing.Inc()
	id, about := run.ID, run.about()
	x.wg.Go(func() {
		defer x.cfg.Metrics.executing.Dec()
		_, err := x.Run(ctx, id)
		x.ended <- ended{id, about, err}
	})
	return nil
}

// alive reports whether a run's owner has shown a sign of life lately.
func (x *executor) alive(ctx context.Context, run *Run) (bool, error) {
	var p pulse
	version, err := document.Load(ctx, x.cfg.Documents, kindPulse, string(run.ID), &p)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return true, fmt.Errorf("replay %s: %w", run.ID, err)
	}
	last := x.seen[run.ID]
	if now := (sign{run.Owner, run.version, version, last.since}); now != last {
		now.since = x.now()
		x.seen[run.ID] = now
		return true, nil
	}
	return x.now().Sub(last.since) < silence, nil
}

// finished notes that a run is no longer executed here.
func (x *executor) finished(e ended) {
	delete(x.mine, e.id)
	switch {
	case e.err == nil:
	case errors.Is(e.err, ErrTakenOver):
		x.cfg.Log.Info("replay is executed by another process now", e.about)
	default:
		x.rest[e.id] = x.now().Add(restAfter)
		x.cfg.Log.Warn("replay failed; trying again", e.about, zap.Error(e.err), zap.Duration("pause", restAfter))
	}
}
