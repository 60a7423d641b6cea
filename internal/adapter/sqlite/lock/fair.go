package lock

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// pollEvery is how often a locked file is tried again. A transaction takes a
	// few hundred microseconds, so that a longer pause would only be lost.
	pollEvery = 250 * time.Microsecond

	lockMode = 0o600 // of lock files
)

// Fair makes the processes that write one file take turns.
//
// SQLite's write lock goes to whoever tries first after it is released, and
// that is the process that has just released it: its next group is waiting. So
// there is a second lock, of the next in line. Who wants to write takes that
// one, waits for SQLite's, then gives it up. The process that has just
// written finds the other one there and queues behind it.
//
// The lock is advisory and held by the kernel, so it vanishes with its process.
// Programs that write without it (the sqlite3 shell) are safe, only not in line.
type Fair struct {
	file     *os.File
	path     string // of the database
	patience time.Duration
}

// OpenFair opens the lock of the database file at path. Whoever waits longer
// than patience gives up.
func OpenFair(path string, patience time.Duration) (*Fair, error) {
	f, err := os.OpenFile(path+"-turn", os.O_CREATE|os.O_RDWR, lockMode) //nolint:gosec // beside the operator's database
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	return &Fair{file: f, path: path, patience: patience}, nil
}

// Pass stands in line, then calls begin until the file is no longer busy. It
// gives up when ctx ends or its patience does, with push.OutageBusy and, where the
// system tells, who has the lock.
func (t *Fair) Pass(ctx context.Context, begin func() error) error {
	p := poll{turn: t, since: time.Now()}
	for {
		ok, err := Try(t.file)
		if err != nil {
			return fmt.Errorf("lock %s: %w", t.file.Name(), err)
		}
		if ok {
			break
		}
		if err := p.pause(ctx); err != nil {
			return err
		}
	}
	defer Unlock(t.file)
	for {
		err := begin()
		if !busy(err) {
			return err
		}
		if stop := p.pause(ctx); stop != nil {
			return fmt.Errorf("%w: %w", stop, err)
		}
	}
}

// Close gives up the place in the line.
func (t *Fair) Close() error { return t.file.Close() }

// poll paces the attempts to get a lock.
type poll struct {
	turn  *Fair
	since time.Time
}

func (p poll) pause(ctx context.Context) error {
	if waited := time.Since(p.since); waited > p.turn.patience {
		return push.WithOutage(push.OutageBusy, lockedError(p.turn.path, waited))
	}
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// busy reports whether another connection has the lock that the call needed.
func busy(err error) bool { return push.OutageOf(err) == push.OutageBusy }
