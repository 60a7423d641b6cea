//go:build !linux

package sqlite

// lockHolder cannot tell here.
func lockHolder(string) (holder, bool) { return holder{}, false }
