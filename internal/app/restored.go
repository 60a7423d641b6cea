package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
)

// Copy is a backup that was made.
type Copy = sqlite.Copy

// CopyFile is one file of a [Copy].
type CopyFile = sqlite.CopyFile

// reportRestored tells the janitor that the data directory holds an earlier state,
// because it was restored from a backup or lost a file.
func reportRestored(ctx context.Context, b *sqlite.Backend, log *zap.Logger) error {
	r := b.Restored()
	if r == nil {
		return nil
	}
	says := "what was open then is sent anew, and to whom it may have been sent since is flagged as a possible duplicate"
	if r.Mixed {
		says += "; not all files are of one moment, so what one of them knows of the others may be missing"
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		files = append(files, name+" of "+r.Files[name].Format(time.RFC3339))
	}
	log.Warn("the data directory is a state of before", zap.Strings("files", files), zap.Int("flagged_chunks", r.Lines),
		zap.String("means", says))
	if err := janitor.Suspect(ctx, b.Store(), "restored", time.Now()); err != nil {
		return err
	}
	return b.Settled(ctx)
}

// Backup copies the data directory to a new directory; see [sqlite.Backup].
func (Operations) Backup(ctx context.Context, c config.Backup, to string, progress func(done, total int64)) (Copy, error) {
	return sqlite.Backup(ctx, c.Store.Data, to, progress)
}

// Repair lets a data directory be used without what it lost; see [sqlite.Repair].
// With c.Lost as config.LostMessages it changes no file: the janitor sends anew
// whatever is open, on either backend.
func (Operations) Repair(ctx context.Context, c config.Repair) (err error) {
	log := zap.NewNop() // the command says it all
	if c.Lost != config.LostMessages {
		if err := sqlite.Repair(ctx, c.Store.Data, c.Lost, log); err != nil {
			return err
		}
	}
	b, err := opener(c.Store, log)(ctx, prometheus.NewRegistry()) // which heals what was repaired
	if err != nil {
		return fmt.Errorf("%s is given up, and still: %w", c.Lost, err)
	}
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx))) }()
	if c.Lost == config.LostMessages {
		return janitor.Suspect(ctx, b.store, "belfry repair", time.Now())
	}
	return nil
}
