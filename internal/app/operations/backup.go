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
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
)

// Copy is a backup that was made.
type Copy = sqlite.Copy

// CopyFile is one file of a [Copy].
type CopyFile = sqlite.CopyFile

// Backup copies the data directory to a new directory; see [sqlite.Backup]. That it was copied is in the directory's audit
// log, and not in the copy's. One of an older version is copied and not opened, because opening it would change it: then
// nothing is recorded.
func (Operations) Backup(ctx context.Context, c config.Backup, to string, progress func(done, total int64)) (Copy, error) {
	made, err := sqlite.Backup(ctx, c.Store.Data, to, progress)
	if err != nil {
		return made, err
	}
	current, err := sqlite.Current(ctx, c.Store.Data)
	if err == nil && current {
		err = recordBackup(ctx, c.Store, &made)
	}
	if err != nil {
		return made, fmt.Errorf("the copy in %s is whole, but the audit log does not tell of it: %w", made.Path, err)
	}
	return made, nil
}

func recordBackup(ctx context.Context, c config.Store, made *Copy) (err error) {
	b, err := app.Opener(c, zap.NewNop())(ctx, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	return app.RecordLocal(ctx, b.Store, c.AuditKey, audit.Entry{
		Action: "backup", Target: audit.Target{Kind: "store", ID: c.Data}, Reason: "copied to " + made.Path,
	})
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
		if err := janitor.Suspect(ctx, b.Store, "belfry repair", time.Now()); err != nil {
			return err
		}
	}
	target := c.Store.Data
	if c.Store.Backend == config.BackendAWS {
		target = c.Store.AWS.Prefix
	}
	err = app.RecordLocal(ctx, b.Store, c.Store.AuditKey, audit.Entry{
		Action: "repair", Target: audit.Target{Kind: "store", ID: target}, Reason: "given up: " + c.Lost,
	})
	if err != nil {
		return fmt.Errorf("%s is given up, but the audit log does not tell of it: %w", c.Lost, err)
	}
	return nil
}
