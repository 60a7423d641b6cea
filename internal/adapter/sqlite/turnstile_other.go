//go:build !unix || solaris || illumos || aix

package sqlite

import "os"

// tryLock always succeeds where there is no flock(2): processes then take
// SQLite's own lock in no particular order.
func tryLock(*os.File) (bool, error) { return true, nil }

func unlock(*os.File) {}
