//go:build !race

package dynamo

// raced says that the race detector, and coverage with it, take tens of times as long.
const raced = false
