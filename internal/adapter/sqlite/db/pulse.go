package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/push"
)

// leastSpace is what must be free on the disk, because a write-ahead log grows by that much before
// it is moved into its database. On a small disk a twentieth is enough.
const (
	leastSpace = checkpointPages * 4 << 10
	leastShare = 20
)

// Pulse rewrites a number in the file's header that SQLite leaves to
// applications and that nobody here reads: the smallest transaction that there
// is, with a lock, a log frame and a sync as any other.
func (d *DB) Pulse(ctx context.Context) error {
	began := time.Now()
	err := d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.FormatInt(began.Unix()&1, 10))
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		who := lock.Holder(d.path)
		if who != "" {
			who = ": the file is locked by " + who
		}
		err = fmt.Errorf("no write was committed within %v%s", time.Since(began).Round(100*time.Millisecond), who)
		err = push.WithOutage(push.OutageTimeout, err)
	}
	if err == nil {
		err = d.checkFile()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(d.path), err)
	}
	return nil
}

// checkFile returns an error if the file or its log was removed, or if the disk is almost full.
func (d *DB) checkFile() error {
	if err := checkThere(d.path); err != nil {
		return err
	}
	if _, err := os.Stat(d.path + LogSuffix); errors.Is(err, fs.ErrNotExist) {
		return push.WithOutage(push.OutageDown, errors.New("its write-ahead log ("+filepath.Base(d.path)+LogSuffix+
			") was removed: stop this process with SIGTERM, which still puts all of it into the file, before any other starts"))
	}
	return checkSpace(d.path)
}

// checkThere returns an error if the file was removed or moved. It costs a microsecond.
func checkThere(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return push.WithOutage(push.OutageDown, errors.New("the file was removed or moved: stop this process, put it back and start again"))
	}
	return nil
}

// checkSpace returns an error if the disk is almost full: small writes still fit then, but larger
// ones fail.
func checkSpace(path string) error {
	free, size, err := DiskSpace(filepath.Dir(path))
	if err != nil || size == 0 {
		return nil //nolint:nilerr // some file systems do not tell; the write said enough
	}
	if least := min(leastSpace, size/leastShare); free < least {
		return push.WithOutage(push.OutageFull, fmt.Errorf("only %d KiB are free on the disk, less than %d", free>>10, least>>10))
	}
	return nil
}
