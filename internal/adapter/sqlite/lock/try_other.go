//go:build !unix || solaris || illumos || aix

package lock

import "os"

// Try always succeeds where there is no flock(2): processes then take
// SQLite's own lock in no particular order.
func Try(*os.File) (bool, error) { return true, nil }

// Unlock does nothing there.
func Unlock(*os.File) {}
