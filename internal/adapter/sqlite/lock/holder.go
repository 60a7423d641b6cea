package lock

import (
	"fmt"
	"time"
)

// holder is a process that has a lock which others wait for.
type holder struct {
	pid     int
	command string // its name, "" if that cannot be seen
	stopped bool   // by a signal or a debugger: it will not let go by itself
}

// String says who it is and what to do about it.
func (h holder) String() string {
	s := fmt.Sprintf("process %d", h.pid)
	if h.command != "" {
		s += " (" + h.command + ")"
	}
	if h.stopped {
		s += fmt.Sprintf(", which is stopped: let it go on with kill -CONT %d, or end it", h.pid)
	}
	return s
}

// describeHolder describes the process that keeps the file's write lock: the one that has SQLite's
// own lock or, if there is none, the next in line that does not move. If there is neither, or if
// the system does not show it, the text says so.
func describeHolder(path string) string {
	h, told := lockHolder(path)
	switch {
	case !told:
		return "another process (this system does not tell which)"
	case h.pid == 0:
		return "another process (gone meanwhile, or out of this one's sight)"
	}
	return h.String()
}

// lockedError is the error of a writer that could not get the file's write lock.
func lockedError(path string, waited time.Duration) error {
	return fmt.Errorf("the file has been locked for %v by %s", waited.Round(time.Second), describeHolder(path))
}

// Holder names the process that has the write lock of the database file at path,
// if another one has and the system tells; else it is empty.
func Holder(path string) string {
	if h, told := lockHolder(path); told && h.pid != 0 {
		return h.String()
	}
	return ""
}

// User names another process that has any lock on the file at path; it is empty if
// none has or the system does not tell. On a database's index file (-shm) every
// process has one that uses the database
// (https://www.sqlite.org/walformat.html#wal_locks).
func User(path string) string {
	if h, found := lockerOf(path); found {
		return h.String()
	}
	return ""
}
