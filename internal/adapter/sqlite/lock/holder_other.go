//go:build !linux

package lock

// lockHolder cannot tell here.
func lockHolder(string) (holder, bool) { return holder{}, false }

// lockerOf cannot tell here.
func lockerOf(string) (holder, bool) { return holder{}, false }
