// Package closing ends what a deleted tenant or app has under way: its notifications, batches and
// replays are cancelled, its credentials and pauses removed. Nothing is orphaned, and nothing of
// it is sent: whoever delivers refuses it on his own, from a few seconds after the deletion on.
//
// What is to be ended stands in the directory until it is done, and everything that is done may be
// done again, so a process that is killed leaves nothing that the next round does not find. A tenant
// is closed by a round that began when requests that were let in before its deletion had ended.
package closing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// Directory knows what was deleted.
type Directory interface {
	// Endings returns what was deleted and is not closed.
	Endings(ctx context.Context) ([]access.Ending, error)
	// CloseEnding takes one off that list.
	CloseEnding(ctx context.Context, e access.Ending) error
}

// Notifications lists a tenant's notifications, newest first.
type Notifications interface {
	Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error)
}

// Canceller cancels a notification; errors are push.ErrNotFound and a *push.StateError if it has
// ended otherwise.
type Canceller interface {
	Cancel(ctx context.Context, tenant string, id push.ID) (push.Notification, error)
}

// Replays cancels all of a tenant's replays that have not ended, and returns how many.
type Replays interface {
	CancelAll(ctx context.Context, tenant, by string) (int, error)
}

// Belongings removes what an app has, or with the app "" all of a tenant's, and returns how much.
type Belongings interface {
	Forget(ctx context.Context, tenant, app string) (int, error)
}

// Config is what the room is built from.
type Config struct {
	Directory     Directory
	Notifications Notifications
	Canceller     Canceller
	Replays       Replays
	Credentials   Belongings
	Pauses        Belongings
	Log           *zap.Logger
	Now           func() time.Time
}

const (
	// every is how often the directory is looked at.
	every = 10 * time.Second
	// heard is how long after the deletion the first round begins: every process has heard of it by
	// then, so that nothing is sent because a pause is lifted.
	heard = 2 * access.CacheFor
	// settled is how long after the deletion the last round begins: a request that was let in
	// before, by a process that has not heard of it, has been answered by then.
	settled = time.Minute
	// listed is how many notifications are listed at once, and pace how many are looked at a
	// second, at most: what ends slowly is not sent meanwhile.
	listed = 200
	pace   = 1000
	// by is who did it, in records of replays.
	by = "tenant deleted"
)

// Room ends what was deleted. Several processes may each run one: they do the same twice.
type Room struct {
	cfg     Config
	limiter *rate.Limiter
}

// New returns the room.
func New(cfg Config) *Room { return &Room{cfg: cfg, limiter: rate.NewLimiter(pace, pace)} }

// Run looks for what was deleted until ctx ends.
func (r *Room) Run(ctx context.Context) {
	var ailing telemetry.Ailing
	for {
		err := r.Round(ctx)
		if ctx.Err() != nil {
			return
		}
		ailing.Note(r.cfg.Log, "ending the work of deleted tenants", err)
		if !worker.Wait(ctx, every) {
			return
		}
	}
}

// Round ends everything of what was deleted, once. It costs a read of all tenants and apps; of
// those that were deleted, of their notifications.
func (r *Room) Round(ctx context.Context) error {
	all, err := r.cfg.Directory.Endings(ctx)
	if err != nil {
		return fmt.Errorf("list what was deleted: %w", err)
	}
	var failed []error
	for _, e := range all {
		if err := r.one(ctx, e); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", e.What(), err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// one ends one tenant, or app. Its pauses go last: what is paused sees then that it is cancelled, and
// does not complete before.
func (r *Room) one(ctx context.Context, e access.Ending) error {
	since := r.cfg.Now().Sub(e.Since)
	if since < heard {
		return nil
	}
	last := since >= settled
	credentials, err := r.cfg.Credentials.Forget(ctx, e.Tenant, e.App)
	if err != nil {
		return fmt.Errorf("delete its credentials: %w", err)
	}
	replays := 0
	if e.App == "" { // a replay is a tenant's
		if replays, err = r.cfg.Replays.CancelAll(ctx, e.Tenant, by); err != nil {
			return fmt.Errorf("cancel its replays: %w", err)
		}
	}
	notifications, err := r.notifications(ctx, e)
	pauses := 0
	if err == nil {
		if pauses, err = r.cfg.Pauses.Forget(ctx, e.Tenant, e.App); err != nil {
			err = fmt.Errorf("lift its pauses: %w", err)
		}
	}
	if n := notifications + replays + credentials + pauses; n > 0 {
		r.cfg.Log.Info("ended what was under way of something deleted", zap.String("tenant", e.Tenant), zap.String("what", e.What()),
			zap.Int("notifications", notifications), zap.Int("replays", replays), zap.Int("credentials", credentials),
			zap.Int("pauses", pauses))
	}
	if err != nil || !last {
		return err
	}
	return r.cfg.Directory.CloseEnding(ctx, e)
}

// notifications cancels what can be, and returns how many it did.
func (r *Room) notifications(ctx context.Context, e access.Ending) (cancelled int, err error) {
	for cursor := ""; ; {
		ns, next, err := r.cfg.Notifications.Notifications(ctx, e.Tenant, cursor, listed)
		if err != nil {
			return cancelled, fmt.Errorf("list its notifications: %w", err)
		}
		for i := range ns {
			n := &ns[i]
			if !e.Covers(n.Tenant, n.App) || n.Progress.State == push.StateCancelled || !push.CanMove(n.Progress.State, push.StateCancelled) {
				continue
			}
			if err := r.limiter.Wait(ctx); err != nil {
				return cancelled, fmt.Errorf("wait for the pace: %w", err)
			}
			_, err := r.cfg.Canceller.Cancel(telemetry.By(ctx, "the end of its tenant or app"), n.Tenant, n.ID)
			ended := new(push.StateError)
			switch {
			case err == nil:
				cancelled++
			case !errors.As(err, &ended) && !errors.Is(err, push.ErrNotFound):
				return cancelled, fmt.Errorf("cancel %s: %w", n.ID, err)
			}
		}
		if cursor = next; cursor == "" {
			return cancelled, nil
		}
	}
}
