package replay

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// beatEvery is how often whoever executes a run shows that it lives.
	beatEvery = 3 * time.Second
	// silence is after which time without a sign of life a run is taken over: four
	// beats may be lost.
	silence = 15 * time.Second
)

// pulse is the sign of life of a run's owner. It is a document of its own, so
// that beating never gets in the way of the run's own saves. Whoever watches it
// counts by its own clock how long the version stays the same: no clock of two
// machines is ever compared.
type pulse struct {
	Owner string    `json:"owner"`
	At    time.Time `json:"at"` // for people
}

// beat shows every beatEvery that the owner lives, until the function returned is
// called. Being taken over ends it too. The save with which the run was taken is
// the first beat.
func (e *engine) beat(ctx context.Context) (rest func(context.Context)) {
	if e.run.State != RunRunning {
		return func(context.Context) {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	id := e.run.ID
	h := heart{Room: e.Room, run: id, owner: e.owner}
	go func() {
		defer close(ended)
		for wait(ctx, beatEvery) && h.once(ctx) {
		}
	}()
	return func(ctx context.Context) {
		cancel()
		<-ended
		if h.version > 0 { // a pulse that stays behind is stale, and does no harm
			_ = e.Documents.DeleteDocument(ctx, kindPulse, string(id), h.version)
		}
	}
}

// heart beats for one execution of a run.
type heart struct {
	*Room

	run     push.ID
	owner   string
	version int64 // of the last beat that was stored; 0 before
}

// once beats, and tells whether to go on. What fails is left to the next beat.
func (h *heart) once(ctx context.Context) bool {
	before := h.version
	if before == 0 { // somebody who died may have left one
		var p pulse
		version, err := h.load(ctx, kindPulse, h.run, &p)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return h.missed(err)
		}
		before = version
	}
	now := h.now()
	err := h.save(ctx, kindPulse, h.run, before+1, pulse{Owner: h.owner, At: now}, now)
	switch {
	case err == nil:
		h.version = before + 1
		return true
	case errors.Is(err, push.ErrConflict):
		// Before the first beat it is the owner before that beats for the last time.
		return h.version == 0
	}
	return h.missed(err)
}

func (h *heart) missed(err error) bool {
	h.Log.Debug("no sign of life stored", zap.String("replay", string(h.run)), zap.Error(err))
	return true
}

// resign leaves a run that is still to be executed to anybody, so that nobody
// has to wait out a silence. What is in memory may not be what is stored, after
// an error: only the owner changes.
func (e *engine) resign(ctx context.Context) {
	run, err := e.Room.run(ctx, e.run.ID)
	if err == nil && (run.State != RunRunning || run.Owner != e.owner) {
		return
	}
	if err == nil {
		run.Owner = ""
		run.version++
		err = e.Room.save(ctx, kindRun, run.ID, run.version, &run, e.now())
	}
	if err != nil && !errors.Is(err, push.ErrConflict) {
		e.Log.Debug("replay not handed over", zap.String("replay", string(e.run.ID)), zap.Error(err))
	}
}
