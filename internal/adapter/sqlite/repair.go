package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/lock"
	"github.com/belfry-push/belfry/internal/push"
)

// ErrNotLost is the error of [Repair] when nothing of that name is lost.
var ErrNotLost = errors.New("is not lost")

// Repair lets a directory be opened again without what is lost: the Lost of one of
// its faults, a database file or the write-ahead log of one. A file is made anew,
// empty, with the id of the others; a file without its log goes on as it is, if it
// is sound, and a log that is not its own is put aside. Nothing else is changed,
// and other faults stay. No process may use the directory. Whoever opens it next
// finds it [Restored].
func Repair(ctx context.Context, dir, lost string, log *zap.Logger) error {
	release, err := lock.Directory(ctx, dir)
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	defer release()
	files, err := examine(ctx, dir)
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	id, faults := judge(dir, files)
	at := slices.IndexFunc(faults, func(f *LossError) bool { return f.Lost == lost })
	if lost == "" || at < 0 {
		return errors.Join(fmt.Errorf("repair: %q %w", lost, ErrNotLost), joined(faults))
	}
	if err := unused(dir); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	f := files[slices.IndexFunc(files, func(f *dataView) bool { return f.name == faults[at].File })]
	if strings.HasSuffix(lost, db.LogSuffix) {
		err = f.acceptWithoutLog(ctx, dir, log)
	} else {
		err = f.makeAnew(ctx, dir, id, log)
	}
	if err != nil {
		return fmt.Errorf("repair %s: %w", f.name, err)
	}
	return nil
}

// unused returns an error that names the process which uses the directory, where the system shows
// it: a process that still has a lost file open would write to it, beside the new one.
func unused(dir string) error {
	for _, f := range dataFiles() {
		if who := lock.User(filepath.Join(dir, f.name+"-shm")); who != "" {
			return push.WithOutage(push.OutageBusy, fmt.Errorf("%s is in use by %s: stop every process that uses the directory", f.name, who))
		}
	}
	return nil
}

// makeAnew makes the file as the first start does.
func (f *dataView) makeAnew(ctx context.Context, dir, id string, log *zap.Logger) error {
	path := filepath.Join(dir, f.name)
	for _, suffix := range []string{"", db.LogSuffix, "-shm"} { // an empty one, and what the lost one left
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	d, err := db.Open(ctx, path, f.steps, log, f.cache)
	if err != nil {
		return err
	}
	err = d.Write(ctx, func(tx *sql.Tx) error { return db.Rewind(ctx, tx, id, time.Now()) })
	return errors.Join(err, d.Close()) // complete with the next start
}

// acceptWithoutLog accepts the file as it was when its log was last moved into it.
func (f *dataView) acceptWithoutLog(ctx context.Context, dir string, log *zap.Logger) error {
	path := filepath.Join(dir, f.name)
	if err := db.SoundWithoutLog(ctx, path); err != nil {
		return fmt.Errorf("without its log it can't be used; restore all files of the directory from one backup (docs/backup.md): %w", err)
	}
	lostPath := fmt.Sprintf("%s%s-%d", path, ".lost", time.Now().UTC().Unix())
	if err := os.Rename(path+db.LogSuffix, lostPath+db.LogSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	d, err := db.Open(ctx, path, f.steps, log, f.cache)
	if err != nil {
		return err
	}
	err = d.Write(ctx, func(tx *sql.Tx) error { return db.Rewind(ctx, tx, f.Directory, time.Now()) })
	return errors.Join(err, d.Close()) // which moves the mark into the file
}
