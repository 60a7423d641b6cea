package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// lockPoll is how often a locked file is tried again. A transaction takes a
	// few hundred microseconds, so that a longer pause would only be lost.
	lockPoll = 250 * time.Microsecond

	// lockWait is when waiting for the write lock is given up. No transaction of
	// ours is a thousandth as long: its holder is stuck or stopped.
	lockWait = 10 * time.Second
)

// turnstile makes the processes that write one file take turns.
//
// SQLite's write lock goes to whoever tries first after it is released, and
// that is the process that has just released it: its next group is waiting. So
// there is a second lock, of the next in line. Who wants to write takes that
// one, waits for SQLite's, then leaves the turnstile. The process that has just
// written finds the other one in the turnstile and queues behind it.
//
// The lock is advisory and held by the kernel, so it vanishes with its process.
// Programs that write without it (the sqlite3 shell) are safe, only not in line.
type turnstile struct {
	file     *os.File
	path     string        // of the database
	patience time.Duration // lockWait, but for tests
}

func openTurnstile(path string) (*turnstile, error) {
	f, err := os.OpenFile(path+"-turn", os.O_CREATE|os.O_RDWR, fileMode) //nolint:gosec // beside the operator's database
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	return &turnstile{file: f, path: path, patience: lockWait}, nil
}

// pass stands in line, then calls begin until the file is no longer busy. It
// gives up when ctx ends or after lockWait, with push.OutageBusy and, where the
// system tells, who has the lock.
func (t *turnstile) pass(ctx context.Context, begin func() error) error {
	p := poll{since: time.Now(), turnstile: t}
	for {
		ok, err := tryLock(t.file)
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
	defer unlock(t.file)
	for {
		err := begin()
		if !busy(err) {
			return err
		}
		if stop := p.pause(ctx); stop != nil {
			return errors.Join(stop, err)
		}
	}
}

func (t *turnstile) close() error { return t.file.Close() }

// poll paces the attempts to get a lock.
type poll struct {
	*turnstile

	since time.Time
}

func (p poll) pause(ctx context.Context) error {
	if waited := time.Since(p.since); waited > p.patience {
		return push.WithOutage(push.OutageBusy, lockedError(p.path, waited))
	}
	timer := time.NewTimer(lockPoll)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// busy tells that another connection has the lock that the call needed.
func busy(err error) bool { return push.OutageOf(err) == push.OutageBusy }
