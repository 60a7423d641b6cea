package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/queue"
)

const (
	queueFile = "queue.db"
	storeFile = "store.db"
	pagesFile = "pages.db"
)

// dataFile is one of the files of a data directory.
type dataFile struct {
	name  string
	steps []db.Migration
	cache db.Cache
	holds string // for people
	loss  string // what goes on without what it held, for people; empty: nothing can
}

// dataFiles are the files in the order in which they are made. Queues are written and read in the order of time, and
// pages once each: a cache does little for them.
func dataFiles() []dataFile {
	const (
		kib     = 1
		mib     = 1 << 10
		queues  = 4 * mib
		reading = 512 * kib
		uploads = 4 * mib
		main    = 12 * mib
		each    = 3 * mib
	)
	return []dataFile{
		{
			queueFile, queue.Migrations(),
			db.Cache{Writer: queues, Reader: reading},
			"every message under way, events that nobody has read, and dead letters that were not drained",
			"the janitor makes the messages of notifications again from the ledger; events and dead letters that were not drained are gone",
		},
		{
			storeFile, storeMigrations(),
			db.Cache{Writer: main, Reader: each},
			"everything accepted and how it ended, devices and dead letters",
			"",
		},
		{
			pagesFile, pagesMigrations(),
			db.Cache{Writer: uploads, Reader: reading},
			"the recipients of batches that are not finished",
			"batches that are not finished cannot send to recipients that they have not planned; cancel and upload them again",
		},
	}
}

// LossError says that files of a data directory are not what they were when it was
// last in use. A program refuses such a directory, because to go on would
// replace what is lost in silence.
type LossError struct {
	File   string // base name
	What   string // is wrong with it, and what that means
	Remedy string // what to do
	// Lost is what [Repair] is called with to go on without what is lost, empty
	// if that can't be.
	Lost string
}

// Error implements error.
func (f *LossError) Error() string { return f.File + " " + f.What + ". " + f.Remedy }

const restore = "Stop every process that uses the directory, then restore all its files from one backup (docs/backup.md)"

// lostFile is the fault of a file that is not there, or that has nothing in it.
func lostFile(dir string, f *dataFile, how string) *LossError {
	return lost(dir, f, f.name, how+" beside the other files of the directory; it held "+f.holds, f.loss)
}

// lostLog is the fault of a file whose write-ahead log is gone, damaged or
// another one's.
func lostLog(dir string, f *dataFile, what string) *LossError {
	return lost(dir, f, f.name+db.LogSuffix, what,
		"what was written last is gone; who was sent to by then is sent to again, flagged as a possible duplicate")
}

func lost(dir string, f *dataFile, lostName, what, loss string) *LossError {
	out := &LossError{File: f.name, What: what, Remedy: restore}
	if loss != "" {
		out.Lost = lostName
		out.Remedy += fmt.Sprintf(", or accept the loss with: belfry repair --data %s --lost %s. Then %s", quoted(dir), lostName, loss)
	}
	return out
}

// quoted is a path as a shell reads it.
func quoted(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if strings.ContainsAny(path, " '\"$`\\&;()<>|*?#~!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// DiskSpace returns what is free for this user and what there is in all, in bytes, on the disk of a data directory.
func DiskSpace(dir string) (free, size uint64, err error) { return db.DiskSpace(dir) }
