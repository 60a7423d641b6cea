package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// FileState is what [Inspect] found of one database file.
type FileState struct {
	Name  string // base name
	Bytes int64  // of the file, without its write-ahead log
	// Version is the file's schema version, 0 for a file without one; Known is the
	// last one that this program knows. A program that starts brings a lower
	// version up to it and refuses a higher one.
	Version, Known int
	// Directory is the id of the data directory, empty in a file of an earlier
	// version.
	Directory string
	// StateOf is the moment of a backup that was restored, or of a loss that was
	// accepted, until a program starts with it; else zero.
	StateOf time.Time
}

// Inspect looks at the files of a data directory and changes nothing, neither
// their schemas nor what is missing: a file that does not exist is left out. It
// may run beside the processes that use the directory. The faults are what a
// program that starts refuses the directory for.
func Inspect(ctx context.Context, dir string) ([]FileState, []*LossError, error) {
	files, err := examine(ctx, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("inspect %s: %w", dir, err)
	}
	var all []FileState
	for _, f := range files {
		if !f.missing {
			all = append(all,
				FileState{
					Name: f.name, Bytes: f.bytes, Version: f.version, Known: len(f.steps), Directory: f.Directory, StateOf: rows.FromMicros(f.StateOf),
				})
		}
	}
	_, faults := judge(dir, files)
	return all, faults, nil
}
