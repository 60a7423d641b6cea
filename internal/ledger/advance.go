package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Progresser is the part of the ledger that reads a notification and moves it
// on by compare-and-swap.
type Progresser interface {
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Advance replaces the progress on condition that the stored version is
	// next.Version-1; otherwise push.ErrConflict.
	Advance(ctx context.Context, id push.ID, next push.Progress) error
}

// advanceTries bounds how often [Advance] starts over. Only the few processes
// that work on one notification at the same moment compete, and one of them
// wins each round; sixteen lost rounds mean that something is wrong.
const advanceTries = 16

// Advance moves a notification on: it reads it, asks f for the progress that
// should follow, and stores that with the version counted up, unless somebody
// else was faster; then it starts over with what is stored now. f may run
// several times and must not keep what it saw. A progress that f returns
// unchanged is not written, and an error of f ends Advance as it is.
//
// It returns the notification as stored. A store whose answer got lost may
// report a conflict with our own write; f then finds its change already made,
// so it should return that unchanged.
func Advance(ctx context.Context, store Progresser, id push.ID,
	f func(push.Notification) (push.Progress, error),
) (push.Notification, error) {
	for range advanceTries {
		n, err := store.Notification(ctx, id)
		if err != nil {
			return push.Notification{}, fmt.Errorf("read %s: %w", id, err)
		}
		next, err := f(n)
		if err != nil {
			return push.Notification{}, err
		}
		if stored, err := advance(ctx, store, n, next); !errors.Is(err, push.ErrConflict) {
			return stored, err
		}
	}
	return push.Notification{}, fmt.Errorf("advance %s: lost %d times: %w", id, advanceTries, push.ErrConflict)
}

// AdvanceFrom is Advance for a caller that has read the notification not long ago: it saves the reading if nobody has
// changed it since. What f makes of the old reading counts only if it is written, which the version permits; an error of
// f, or nothing to change, may come of its age, so then too it starts over.
func AdvanceFrom(ctx context.Context, store Progresser, known *push.Notification,
	f func(push.Notification) (push.Progress, error),
) (push.Notification, error) {
	if next, err := f(*known); err == nil && !unchanged(known, next) {
		if stored, err := advance(ctx, store, *known, next); !errors.Is(err, push.ErrConflict) {
			return stored, err
		}
	}
	return Advance(ctx, store, known.ID, f)
}

func unchanged(n *push.Notification, next push.Progress) bool {
	next.Version = n.Progress.Version
	return next == n.Progress
}

// advance stores the progress that follows on n.
func advance(ctx context.Context, store Progresser, n push.Notification, next push.Progress) (push.Notification, error) {
	if unchanged(&n, next) {
		return n, nil
	}
	next.Version = n.Progress.Version + 1
	if err := store.Advance(ctx, n.ID, next); err != nil {
		return push.Notification{}, fmt.Errorf("advance %s: %w", n.ID, err)
	}
	n.Progress = next
	return n, nil
}

// Revive makes a notification that could not be expanded plannable again, before
// its task is handled once more: fanout passes over one that is dead-lettered. Any
// other, and one that is not there, is left as it is. It may be repeated.
func Revive(ctx context.Context, store Progresser, id push.ID) error {
	_, err := Advance(ctx, store, id, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if p.State == push.StateDeadLettered {
			p.State, p.CompletedAt, p.Enqueued = push.StateAccepted, time.Time{}, true
		}
		return p, nil
	})
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("revive %s: %w", id, err)
	}
	return nil
}
