//go:build linux || darwin

package db

import "syscall"

// DiskSpace returns what is free for this user and what there is in all, in
// bytes, on the file system of dir.
func DiskSpace(dir string) (free, size uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	block := uint64(s.Bsize) //nolint:gosec // a block size is not negative
	return s.Bavail * block, s.Blocks * block, nil
}
