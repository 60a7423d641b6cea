package sqlite

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

// blame names who keeps the file's write lock: the process that has SQLite's
// own, else the one that is next in line and does not move. Without either, or
// where the system does not tell, it says so.
func blame(path string) string {
	h, told := lockHolder(path)
	switch {
	case !told:
		return "another process (this system does not tell which)"
	case h.pid == 0:
		return "another process (gone meanwhile, or out of this one's sight)"
	}
	return h.String()
}

// lockedError says that the file's write lock was not to be had.
func lockedError(path string, waited time.Duration) error {
	return fmt.Errorf("the file has been locked for %v by %s", waited.Round(time.Second), blame(path))
}
