//go:build !linux && !darwin

package sqlite

import "errors"

// diskSpace cannot tell here.
func diskSpace(string) (free, size uint64, err error) {
	return 0, 0, errors.New("this system does not tell the free space of a disk")
}
