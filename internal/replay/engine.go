package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// engine executes one run. It goes over the letters of the run's set page by
// page, in the order of arrival. The steps of a page are ordered so that the run's next
// executor can repair a crash between any two:
//
//  1. claim the letters (parked → replaying): no other run takes them
//  2. reopen their cells in the ledger line, with this run's mark as evidence
//  3. send the chunk message that carries the cells
//  4. mark the letters (replaying → replayed)
//  5. save the cursor
//
// After a crash the claimed letters are finished first ([engine.recover]): the evidence
// shows which cells this run has reopened, and the line's owner shows whether anybody has
// received its message.
type engine struct {
	*Room

	run   Run
	owner string

	cursor string        // of the next page; the run's own may lie one page back
	carry  []push.Letter // the last chunk of the page before, which goes on in the next
	live   counters      // the run's, with what lies between the two cursors
	watch  string        // cursor of the letters without an outcome
	due    time.Time     // when the rate allows the next letters
	pause  time.Duration // between two looks at outcomes

	// unsaved are refailures by cause that the stored run does not count yet. They outlive a
	// reload: the letters they are of are never looked at again.
	unsaved map[push.Code]int64
}

// errMoved says that another process or an operator changed the run.
var errMoved = errors.New("the replay was changed")

// Run executes a replay until it is completed, or was paused, stopped or
// cancelled, and returns where it stands then. It may be called again after a
// crash, in any process: it goes on where the letters say. A call while another
// process executes the same run takes it over. When ctx ends, the letters in
// hand are finished, and the run stays running, without an owner, for the next
// call; its error is ctx's. Memory does not depend on the number of letters.
func (r *Room) Run(ctx context.Context, id push.ID) (Status, error) {
	e, err := r.takeOver(ctx, id)
	if err != nil {
		return Status{}, err
	}
	rest := e.beat(ctx)
	err = e.execute(ctx)
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	rest(done)
	e.resign(done)
	status, statusErr := r.Status(done, id)
	return status, errors.Join(err, statusErr)
}

// finishWithin bounds how long the letters in hand may take after ctx has ended.
const finishWithin = time.Minute

// takeOver makes this call the owner of a run that it is about to execute.
func (r *Room) takeOver(ctx context.Context, id push.ID) (*engine, error) {
	owner := r.cfg.Owner + "/" + string(push.NewID("exec"))
	for range changeTries {
		run, err := r.run(ctx, id)
		if err != nil {
			return nil, err
		}
		e := &engine{Room: r, run: run, owner: owner, unsaved: map[push.Code]int64{}}
		e.rewind()
		if run.State != RunRunning {
			return e, nil
		}
		e.run.Owner = owner
		e.run.Idle = 0 // patience is the executor's: what was in the way may be gone since
		if err := e.save(ctx); err == nil {
			return e, nil
		} else if !errors.Is(err, errMoved) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("take over %s: lost %d times: %w", id, changeTries, push.ErrConflict)
}

// rewind forgets progress that is not in the stored run.
func (e *engine) rewind() {
	e.cursor, e.carry, e.live = e.run.Cursor, nil, e.run.clone()
}

// execute works until the run is no longer running.
func (e *engine) execute(ctx context.Context) error {
	if err := e.finishing(ctx, e.recover); err != nil {
		return err
	}
	const first, longest = time.Second, 10 * time.Second
	pause, failures := first, 0
	for e.run.State == RunRunning {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := e.step(ctx)
		switch {
		case err == nil:
			pause, failures = first, 0
			continue
		case errors.Is(err, errMoved):
			if err := e.reload(ctx); err != nil {
				return err
			}
			continue
		case ctx.Err() != nil, errors.Is(err, ErrTakenOver):
			return err
		}
		if failures++; failures > e.cfg.Patience {
			return err
		}
		e.cfg.Log.Warn("replay failed; trying again", e.run.about(), zap.Error(err), zap.Duration("pause", pause))
		if !worker.Wait(ctx, pause) {
			continue
		}
		pause = min(2*pause, longest)
		if err := e.finishing(ctx, e.recover); err != nil {
			e.cfg.Log.Warn("letters in hand not finished yet", e.run.about(), zap.Error(err))
		}
		e.rewind()
	}
	return e.finishing(ctx, e.recover)
}

// finishing runs f to its end even if ctx ends meanwhile.
func (e *engine) finishing(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	return f(ctx)
}

// save stores the run; it returns errMoved if another write was stored since.
func (e *engine) save(ctx context.Context) error {
	next := e.run
	next.version++
	next.UpdatedAt = e.now()
	next.RefailedBy = e.refailedBy()
	err := document.Save(ctx, e.cfg.Documents, kindRun, string(next.ID), next.version, &next, next.UpdatedAt)
	if errors.Is(err, push.ErrConflict) {
		return errMoved
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", next.ID, err)
	}
	e.run = next
	clear(e.unsaved)
	return nil
}

// refailedBy is what is stored of the refailures' causes, with what is not stored yet.
func (e *engine) refailedBy() map[push.Code]int64 {
	if len(e.unsaved) == 0 {
		return e.run.RefailedBy
	}
	by := maps.Clone(e.unsaved)
	for code, n := range e.run.RefailedBy {
		by[code] += n
	}
	return by
}

// reload reads the run again after a change.
func (e *engine) reload(ctx context.Context) error {
	run, err := e.Room.run(ctx, e.run.ID)
	if err != nil {
		return err
	}
	if run.State == RunRunning && run.Owner != e.owner {
		return fmt.Errorf("replay %s: %w", run.ID, ErrTakenOver)
	}
	e.run = run
	e.rewind()
	return nil
}

// end moves the run by itself.
func (e *engine) end(ctx context.Context, op runOp, why string) error {
	next := e.run
	if err := next.move(op, why, e.now()); err != nil {
		return err
	}
	before := e.run
	e.run = next
	if err := e.save(ctx); err != nil {
		e.run = before
		return err
	}
	e.changed(ctx, &e.run, e.run.By)
	return nil
}

// idle waits, and looks every second whether the run was changed.
func (e *engine) idle(ctx context.Context, d time.Duration) error {
	const look = time.Second
	for ; d > 0; d -= look {
		if !worker.Wait(ctx, min(d, look)) {
			return context.Cause(ctx)
		}
		run, err := e.Room.run(ctx, e.run.ID)
		if err != nil {
			return err
		}
		if run.version != e.run.version {
			return errMoved
		}
	}
	return nil
}
