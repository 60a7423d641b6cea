//go:build race

package watch

// raced says that the race detector takes several times the memory.
const raced = true
