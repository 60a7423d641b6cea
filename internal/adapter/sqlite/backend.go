package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

const dirMode = 0o700

// Backend is one data directory. It is safe for concurrent use, and several
// processes may open the same directory.
type Backend struct {
	queues, main, pages *db

	watch *watch
	store *Store
}

// Open opens the data directory, making it (mode 0700) and its files (0600) if
// need be, and brings their schemas up to date. A directory that was written by
// a newer program is refused with push.ErrNewerSchema.
func Open(ctx context.Context, dir string, log *zap.Logger) (*Backend, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	b := &Backend{}
	for _, file := range []struct {
		to    **db
		name  string
		steps []migration
	}{
		{&b.queues, "queue.db", queueMigrations()},
		{&b.main, "store.db", storeMigrations()},
		{&b.pages, "pages.db", pagesMigrations()},
	} {
		d, err := openDB(ctx, filepath.Join(dir, file.name), file.steps, log)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("data directory: %w", err), b.closeFiles())
		}
		*file.to = d
	}
	b.watch = newWatch(b.queues, log)
	b.store = newStore(b.main, b.pages)
	return b, nil
}

// Queue opens the queue of that name, which with its dead-letter queue comes
// into being by it.
func (b *Backend) Queue(ctx context.Context, name string, cfg QueueConfig) (*Queue, error) {
	return newQueue(ctx, b.queues, b.watch, name, cfg)
}

// Store returns the driver of all storage ports.
func (b *Backend) Store() *Store { return b.store }

// Close ends waiting receives with an error, lets running writes finish and
// closes the files. Nothing that was acknowledged depends on it.
func (b *Backend) Close() error {
	b.watch.close()
	return b.closeFiles()
}

func (b *Backend) closeFiles() error {
	var errs []error
	for _, d := range []*db{b.queues, b.main, b.pages} {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	return errors.Join(errs...)
}
