// Package raced sizes tests for the race detector, under which, and with coverage, they
// take tens of times as long. A race shows in any of the rounds that a random test makes,
// so there a quarter of them is made; all of them are made without it.
package raced

import (
	"flag"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of a package with random tests: it makes a quarter of rapid's
// checks under the race detector (-rapid.checks says otherwise), and fails if goroutines
// are left.
func Main(m *testing.M) {
	Checks()
	goleak.VerifyTestMain(m)
}

// Checks sets how many checks rapid makes. It belongs into TestMain.
func Checks() {
	const usual = 100                                         // rapid's default
	_ = flag.Set("rapid.checks", strconv.Itoa(Rounds(usual))) // unknown where no test is random
}

// Rounds returns how often something random is tried: n times, a quarter of it under
// the race detector, at least once.
func Rounds(n int) int {
	if On {
		return max(1, n/4)
	}
	return n
}

// Some returns which of the cases of a table are tried where all go the same way through
// the code: all, under the race detector every fourth, the first in any case.
func Some[T any](all []T) []T {
	if !On {
		return all
	}
	var some []T
	for i := 0; i < len(all); i += 4 {
		some = append(some, all[i])
	}
	return some
}
