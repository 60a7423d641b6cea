//go:build !race

package watch

// raced says that memory is as in production.
const raced = false
