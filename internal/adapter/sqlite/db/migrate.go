package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// Migration is one step of a file's schema. Steps are numbered 1, 2, 3… without
// gaps; a released step is never edited, a change is a new step.
type Migration struct {
	Version int
	SQL     string // one or several statements
}

// migrate brings the file to the last of the given steps, in one transaction of
// tx. A file that has a higher step than the program knows is left untouched:
// push.ErrNewerSchema.
func migrate(ctx context.Context, tx *sql.Tx, steps []Migration) error {
	const table = `CREATE TABLE IF NOT EXISTS migration (
		version    INTEGER PRIMARY KEY,
		applied_at INTEGER NOT NULL -- Unix time in seconds
	)`
	if _, err := tx.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("migration table: %w", err)
	}
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migration`).Scan(&have); err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if have > len(steps) {
		return fmt.Errorf("schema version %d, this program knows %d; use the program that wrote it or a later one: %w",
			have, len(steps), push.ErrNewerSchema)
	}
	for i, step := range steps {
		if step.Version != i+1 {
			return errors.New("migrations must be numbered 1, 2, 3… in order")
		}
		if step.Version <= have {
			continue
		}
		if _, err := tx.ExecContext(ctx, step.SQL); err != nil {
			return fmt.Errorf("migration %d: %w", step.Version, err)
		}
		const record = `INSERT INTO migration (version, applied_at) VALUES (?, unixepoch())`
		if _, err := tx.ExecContext(ctx, record, step.Version); err != nil {
			return fmt.Errorf("record migration %d: %w", step.Version, err)
		}
	}
	return nil
}
