package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// OpenDirectory opens the file by which processes take turns at opening,
// repairing and copying a directory, and at moving its write-ahead logs.
func OpenDirectory(dir string) (*os.File, error) {
	//nolint:gosec // the operator's data directory
	f, err := os.OpenFile(filepath.Join(dir, "directory.lock"), os.O_CREATE|os.O_RDWR, lockMode)
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	return f, nil
}

// openWait is when waiting for another process that opens the directory is given
// up: bringing large files to a new schema may take long.
const openWait = 2 * time.Minute

// Directory waits until no other process opens the directory. It gives up when ctx
// ends or after openWait, with push.OutageBusy and, where the system tells, who has
// the lock.
func Directory(ctx context.Context, dir string) (release func(), err error) {
	f, err := OpenDirectory(dir)
	if err != nil {
		return nil, err
	}
	const pause = 5 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	wait, stop := context.WithTimeout(ctx, openWait)
	defer stop()
	for {
		ok, err := Try(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
		if ok {
			return func() { _ = f.Close() }, nil // which gives the lock up
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			who := User(f.Name())
			if who == "" {
				who = "another process"
			}
			err := push.WithOutage(push.OutageBusy, fmt.Errorf("the directory is being opened or copied by %s: %w", who, wait.Err()))
			return nil, errors.Join(err, f.Close())
		}
	}
}
