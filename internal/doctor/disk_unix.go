//go:build linux || darwin

package doctor

import (
	"os"
	"syscall"
)

// freeBytes returns what an ordinary user can still write on the disk of dir.
func freeBytes(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return s.Bavail * uint64(s.Bsize), nil //nolint:gosec // a block size is not negative
}
