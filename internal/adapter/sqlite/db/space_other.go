//go:build !linux && !darwin

package db

import "errors"

// DiskSpace cannot tell here.
func DiskSpace(string) (free, size uint64, err error) {
	return 0, 0, errors.New("this system does not tell the free space of a disk")
}
