package sqlite

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

	"github.com/belfry-push/belfry/internal/push"
)

// leastSpace is what must be free on the disk: a write-ahead log grows by so
// much before it is moved into its database. On a small disk a twentieth has to
// do.
const (
	leastSpace = checkpointPages * 4 << 10
	leastShare = 20
)

// PulseLedger finds out whether the ledger, the registry and the dead letters
// can be written, by a small write that is synced to the disk. Its error is a
// push.Outage and names who holds it up. It may be called at any time and rate.
func (b *Backend) PulseLedger(ctx context.Context) error { return b.main.pulse(ctx) }

// PulseQueues is PulseLedger for the queues.
func (b *Backend) PulseQueues(ctx context.Context) error { return b.queues.pulse(ctx) }

// PulsePages is PulseLedger for the pages of uploads.
func (b *Backend) PulsePages(ctx context.Context) error { return b.pages.pulse(ctx) }

// pulse rewrites a number in the file's header that SQLite leaves to
// applications and that nobody here reads: the smallest transaction that there
// is, with a lock, a log frame and a sync as any other.
func (d *db) pulse(ctx context.Context) error {
	began := time.Now()
	err := d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.FormatInt(began.Unix()&1, 10))
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no write was committed within %v%s", time.Since(began).Round(100*time.Millisecond), d.holdUp())
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

// holdUp names the process that has the file's write lock, if another one has.
func (d *db) holdUp() string {
	if h, told := lockHolder(d.path); told && h.pid != 0 {
		return ": the file is locked by " + h.String()
	}
	return ""
}

// checkFile tells that the file was taken away, which writes to it do not
// notice, or is about to have no room.
func (d *db) checkFile() error {
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
		return push.WithOutage(push.OutageDown, errors.New("the file was removed or moved: stop this process, put it back and start again"))
	}
	return checkSpace(d.path)
}

// checkSpace tells that the disk is about to be full: small writes still fit
// when others don't.
func checkSpace(path string) error {
	free, size, err := diskSpace(filepath.Dir(path))
	if err != nil || size == 0 {
		return nil //nolint:nilerr // some file systems do not tell; the write said enough
	}
	if least := min(leastSpace, size/leastShare); free < least {
		return push.WithOutage(push.OutageFull, fmt.Errorf("only %d KiB are free on the disk, less than %d", free>>10, least>>10))
	}
	return nil
}
