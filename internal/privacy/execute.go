package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const (
	// lookEvery is how often an executor looks for requests of other processes.
	lookEvery = 5 * time.Second
	// beatEvery is how often the owner of a request shows that it lives, and silence after how
	// long without that, by the watcher's own clock, another one takes it over.
	beatEvery = 3 * time.Second
	silence   = 15 * time.Second
)

// errTaken says that another process executes the request now.
var errTaken = errors.New("taken over by another process")

// executor executes the erasures that nobody executes.
type executor struct {
	*Room

	seen map[string]sign
}

// sign is the last sign of life of an owner, and when it was first seen.
type sign struct {
	version int64
	since   time.Time
}

// Execute executes erasures until ctx ends, one at a time and the oldest first, so that no two
// rewrite the same page. Any number of processes may do this on one store: who executes a request
// shows every 3 s that it lives, and after 15 s of silence another goes on with it.
func (r *Room) Execute(ctx context.Context) {
	x := &executor{Room: r, seen: map[string]sign{}}
	var ailing telemetry.Ailing
	for {
		err := x.look(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(r.cfg.Log, "executing privacy requests", err)
		again := time.NewTimer(lookEvery)
		select {
		case <-again.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// look goes over what is pending, and executes the oldest erasure unless somebody does.
func (x *executor) look(ctx context.Context) error {
	for cursor := ""; ; {
		ds, next, err := x.cfg.Documents.Documents(ctx, kindPending, cursor, pageSize)
		if err != nil {
			return fmt.Errorf("list pending privacy requests: %w", err)
		}
		for i := range ds {
			ended, err := x.consider(ctx, &ds[i])
			if err != nil {
				return err
			}
			if !ended {
				return nil
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// consider reports whether what comes behind this one may be looked at: it is over, or an export.
func (x *executor) consider(ctx context.Context, d *document.Document) (bool, error) {
	var p pending
	if err := json.Unmarshal(d.Body, &p); err != nil {
		return false, fmt.Errorf("read pending %s: %w", d.Name, err)
	}
	q, err := x.load(ctx, push.ID(d.Name))
	switch {
	case errors.Is(err, push.ErrNotFound):
		// It was about to be taken when its process died; nobody was told of it.
		if x.cfg.Now().Sub(p.At) > time.Minute {
			return true, x.done(ctx, d)
		}
		return true, nil
	case err != nil:
		return false, err
	case q.State == StateDone || q.State == StateExpired:
		return true, x.done(ctx, d)
	case q.Action == Export:
		if x.cfg.Now().Before(q.ExpiresAt) {
			return true, nil
		}
		return true, x.expire(ctx, &q)
	}
	if p.Owner != "" && p.Owner != x.cfg.Owner {
		last := x.seen[d.Name]
		if last.version != d.Version {
			x.seen[d.Name] = sign{d.Version, x.cfg.Now()}
			return false, nil
		}
		if x.cfg.Now().Sub(last.since) < silence {
			return false, nil
		}
	}
	delete(x.seen, d.Name)
	return true, x.own(ctx, d, p)
}

// own executes a request under its lease.
func (x *executor) own(ctx context.Context, d *document.Document, p pending) error {
	p.Owner = x.cfg.Owner
	version := d.Version
	beat := func(ctx context.Context) error {
		err := document.Save(ctx, x.cfg.Documents, kindPending, d.Name, version+1, p, x.cfg.Now())
		if err == nil {
			version++
		}
		return err
	}
	if err := beat(ctx); err != nil {
		if errors.Is(err, push.ErrConflict) {
			return nil // another one was faster
		}
		return fmt.Errorf("take %s: %w", d.Name, err)
	}
	working, stop := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-working.Done():
				return
			}
			if err := beat(working); errors.Is(err, push.ErrConflict) {
				stop(errTaken)
				return
			}
		}
	}()
	q, err := x.load(working, push.ID(d.Name))
	if err == nil {
		err = x.erase(working, &q)
	}
	taken := errors.Is(context.Cause(working), errTaken)
	stop(nil)
	<-beating
	if taken {
		return nil
	}
	if err != nil {
		return err
	}
	x.cfg.Log.Info("privacy request done", zap.String("request", d.Name), zap.String("tenant", q.Tenant),
		zap.Int64("deliveries", q.Counts.Deliveries), zap.Duration("took", q.EndedAt.Sub(q.CreatedAt)))
	d.Version = version
	return x.done(ctx, d)
}

// done removes the document of a request for which nothing is left to be done.
func (x *executor) done(ctx context.Context, d *document.Document) error {
	err := x.cfg.Documents.DeleteDocument(ctx, kindPending, d.Name, d.Version)
	if err != nil && !errors.Is(err, push.ErrConflict) && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("end %s: %w", d.Name, err)
	}
	return nil
}
