//go:build race

package deliver_test

// raced says that the race detector, and coverage with it, take tens of times as long.
const raced = true
