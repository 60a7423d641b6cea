package db

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	// tidyEvery is how often the writer looks whether the file has room to give
	// back to the file system.
	tidyEvery = time.Minute

	// sparePages is how many free pages a file keeps for its next peak: 64 MiB.
	sparePages = 16 << 10

	// tidyStep is how many pages one transaction gives back, a few milliseconds.
	tidyStep = "500"

	// tidySteps bounds one round, which other writes share the disk with.
	tidySteps = 100
)

// tidy shrinks the file after a peak. When more than half of it is free pages, and more than
// sparePages, it returns free pages to the file system step by step, and lets writes go first.
// SQLite itself would keep the pages for reuse.
func (w *writer) tidy(ctx context.Context) {
	for range tidySteps {
		more, err := w.shrink(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Warn("database file cannot be shrunk", zap.Error(err))
			}
			return
		}
		if !more {
			return
		}
		select {
		case <-w.wake:
			w.group(ctx)
		case <-ctx.Done():
			return
		default:
		}
	}
}

// shrink takes one step, if there is one to take.
func (w *writer) shrink(ctx context.Context) (more bool, err error) {
	var free, pages int64
	const query = `SELECT f.freelist_count, p.page_count FROM pragma_freelist_count f, pragma_page_count p`
	if err := w.conn.QueryRowContext(ctx, query).Scan(&free, &pages); err != nil {
		return false, fmt.Errorf("free pages: %w", err)
	}
	if free <= w.spare || free*2 <= pages {
		return false, nil
	}
	tx, err := w.begin(ctx)
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, "PRAGMA incremental_vacuum("+tidyStep+")"); err != nil {
		rollback(tx)
		return false, fmt.Errorf("incremental vacuum: %w", err)
	}
	return true, tx.Commit()
}
