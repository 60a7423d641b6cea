//go:build !race

package fanout_test

// raced says that the race detector, and coverage with it, take tens of times as long.
const raced = false
