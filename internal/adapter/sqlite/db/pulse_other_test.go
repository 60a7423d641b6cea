//go:build !linux

package db

import "testing"

// ownDisk needs Linux; no test asks for it elsewhere.
func ownDisk(*testing.T, string) {}
