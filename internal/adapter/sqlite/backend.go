package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/queue"
)

const dirMode = 0o700

// QueueConfig is what [Backend.Queue] takes.
type QueueConfig = queue.Config

// Backend is one data directory. It is safe for concurrent use, and several
// processes may open the same directory.
type Backend struct {
	dir                 string
	queues, main, pages *db.DB

	watch *queue.Watch
	store *Store

	restored *Restored
}

// Open opens the data directory, making it (mode 0700) and its files (0600) if
// need be, and brings their schemas up to date. A directory that was written by
// a newer program is refused with push.ErrNewerSchema, one of which something is
// missing with a [LossError].
func Open(ctx context.Context, dir string, log *zap.Logger) (*Backend, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	release, err := lock.Directory(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	defer release()
	files, err := examine(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	id, faults := judge(dir, files)
	if len(faults) > 0 {
		return nil, fmt.Errorf("data directory: %w", joined(faults))
	}
	b, err := openFiles(ctx, dir, log)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := b.setIdentity(ctx, id, files); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: %w", err), b.closeFiles())
	}
	b.watch = queue.NewWatch(b.queues, log)
	b.store = newStore(b.main, b.pages)
	if err := b.restore(ctx, files); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: %w", err), b.Close())
	}
	return b, nil
}

// openFiles opens the files in the order of [dataFiles].
func openFiles(ctx context.Context, dir string, log *zap.Logger) (*Backend, error) {
	b := &Backend{dir: dir}
	for i, to := range []**db.DB{&b.queues, &b.main, &b.pages} {
		file := dataFiles()[i]
		d, err := db.Open(ctx, filepath.Join(dir, file.name), file.steps, log, file.cache)
		if err != nil {
			return nil, errors.Join(err, b.closeFiles())
		}
		*to = d
	}
	return b, nil
}

// setIdentity gives every file the directory's id and, once all have it, notes so. Each
// step finds what a crash before it left.
func (b *Backend) setIdentity(ctx context.Context, id string, files []*dataView) error {
	if id == "" {
		id = db.NewDirectoryID()
	}
	steps := []func(i int, file *db.DB) error{
		func(i int, file *db.DB) error {
			if files[i].Directory != "" {
				return nil
			}
			return file.Join(ctx, id)
		},
		func(i int, file *db.DB) error {
			if files[i].Complete {
				return nil
			}
			return file.Completed(ctx)
		},
		func(i int, file *db.DB) error { // before anything is written that must not be lost
			if f := files[i]; f.log && f.Mark.Whole && f.Complete {
				return nil
			}
			return file.MoveLog(ctx)
		},
	}
	for _, step := range steps {
		for i, d := range b.files() {
			if err := step(i, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// Queue opens the queue of that name, which with its dead-letter queue comes
// into being by it.
func (b *Backend) Queue(ctx context.Context, name string, cfg QueueConfig) (*queue.Queue, error) {
	return queue.Open(ctx, b.watch, name, cfg)
}

// Register shows with reg how long writes to the files take. It fails if reg shows those of another directory.
func (b *Backend) Register(reg prometheus.Registerer) error {
	for _, d := range b.files() {
		if err := reg.Register(d.Writes()); err != nil {
			return fmt.Errorf("metrics of the data directory: %w", err)
		}
	}
	return nil
}

// Store returns the driver of all storage ports.
func (b *Backend) Store() *Store { return b.store }

// Close ends waiting receives with an error, lets running writes finish and
// closes the files. Nothing that was acknowledged depends on it.
func (b *Backend) Close() error {
	b.watch.Close()
	return b.closeFiles()
}

// files are the open files, nil where one is not, in the order of [dataFiles].
func (b *Backend) files() []*db.DB { return []*db.DB{b.queues, b.main, b.pages} }

func (b *Backend) closeFiles() error {
	var errs []error
	for _, d := range b.files() {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}
