package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// Restored says that a directory, or some of its files, are a state of before: a
// backup, or files that lost their log. Whoever the ledger knows as open may have
// been sent to since, so every further send to them is flagged as a possible
// duplicate; and the queue may hold anything.
type Restored struct {
	Files map[string]time.Time // by base name, when the file was what it is now
	Mixed bool                 // files of different moments are together
	Lines int                  // chunks whose open recipients were flagged
}

// Restored reports whether the directory is a state of before, nil if it is not. It
// stays so until [Backend.Settled].
func (b *Backend) Restored() *Restored { return b.restored }

// Settled notes that the janitor knows of it.
func (b *Backend) Settled(ctx context.Context) error {
	for _, d := range b.files() {
		if err := d.Settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// restore prepares files that are a state of before for going on.
func (b *Backend) restore(ctx context.Context, files []*dataView) error {
	at := files[1] // store.db
	r := restoredOf(files)
	if r != nil && at.StateOf != 0 {
		var err error
		if r.Lines, err = b.store.DoubtOpen(ctx); err != nil {
			return fmt.Errorf("flag what a restored ledger has open: %w", err)
		}
	}
	b.restored = r
	i, err := db.ReadIdentity(ctx, b.main.Read())
	b.store.SetRestoredUpTo(i.Doubt)
	return err
}

func restoredOf(files []*dataView) *Restored {
	r := Restored{Files: map[string]time.Time{}}
	first := files[0].StateOf
	for _, f := range files {
		if f.StateOf != 0 {
			r.Files[f.name] = rows.FromMicros(f.StateOf)
		}
		r.Mixed = r.Mixed || f.StateOf != first
	}
	if len(r.Files) == 0 {
		return nil
	}
	return &r
}
