package operations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
)

// Copy is a backup that was made.
type Copy = sqlite.Copy

// CopyFile is one file of a [Copy].
type CopyFile = sqlite.CopyFile

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
	b, err := app.Opener(c.Store, log)(ctx, prometheus.NewRegistry()) // which heals what was repaired
	if err != nil {
		return fmt.Errorf("%s is given up, and still: %w", c.Lost, err)
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	if c.Lost == config.LostMessages {
		return janitor.Suspect(ctx, b.Store, "belfry repair", time.Now())
	}
	return nil
}
