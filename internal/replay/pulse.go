package replay

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

const (
	// beatEvery is how often a run's executor shows that it lives.
	beatEvery = 3 * time.Second
	// silence is the time without a sign of life after which a run is taken over: four
	// beats may be lost.
	silence = 15 * time.Second
)

// pulse is the sign of life of a run's owner. It is a document of its own, so
// that beating never conflicts with the run's own saves. A watcher measures by its own
// clock how long the version stays the same: clocks of two machines are never compared.
type pulse struct {
	Owner string    `json:"owner"`
	At    time.Time `json:"at"` // for people
}

// beat shows every beatEvery that the owner lives, until the returned function is called
// or another process takes the run over. The save with which the run was taken is the
// first beat.
func (e *engine) beat(ctx context.Context) (rest func(context.Context)) {
	if e.run.State != RunRunning {
		return func(context.Context) {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	id := e.run.ID
	h := beating{Room: e.Room, run: id, about: e.run.about(), owner: e.owner}
	go func() {
		defer close(ended)
		for worker.Wait(ctx, beatEvery) && h.once(ctx) {
		}
	}()
	return func(ctx context.Context) {
		cancel()
		<-ended
		if h.version > 0 { // a pulse that stays behind is stale, and does no harm
			_ = e.cfg.Documents.DeleteDocument(ctx, kindPulse, string(id), h.version)
		}
	}
}

// beating shows that one execution of a run lives.
type beating struct {
	*Room

	run     push.ID
	about   zap.Field // for lines of the log
	owner   string
	version int64 // of the last beat that was stored; 0 before
}

// once beats, and reports whether to go on. A beat that fails is left to the next one.
func (h *beating) once(ctx context.Context) bool {
	before := h.version
	if before == 0 { // somebody who died may have left one
		var p pulse
		version, err := document.Load(ctx, h.cfg.Documents, kindPulse, string(h.run), &p)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return h.missed(err)
		}
		before = version
	}
	now := h.now()
	err := document.Save(ctx, h.cfg.Documents, kindPulse, string(h.run), before+1, pulse{Owner: h.owner, At: now}, now)
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

func (h *beating) missed(err error) bool {
	h.cfg.Log.Debug("no sign of life stored", h.about, zap.Error(err))
	return true
}

// resign gives up a run that is not finished, so that no other process has to wait for
// silence to pass. It changes the owner only, and adds the causes of refailures that were not
// stored yet: after an error, the run in memory may differ from the stored one in the rest.
func (e *engine) resign(ctx context.Context) {
	run, err := e.Room.run(ctx, e.run.ID)
	ours := run.State == RunRunning && run.Owner == e.owner
	if err == nil && !ours && len(e.unsaved) == 0 {
		return
	}
	if err == nil {
		e.run.RefailedBy = run.RefailedBy
		run.RefailedBy = e.refailedBy()
		if ours {
			run.Owner = ""
		}
		run.version++
		err = document.Save(ctx, e.cfg.Documents, kindRun, string(run.ID), run.version, &run, e.now())
	}
	if err != nil && !errors.Is(err, push.ErrConflict) {
		e.cfg.Log.Debug("replay not handed over", e.run.about(), zap.Error(err))
	}
}
