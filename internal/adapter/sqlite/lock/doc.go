// Package lock makes processes take turns at the files of a data directory, and finds the process
// that keeps others waiting. The locks are advisory and belong to the kernel, so they end with
// their process. The package knows no SQL.
package lock
