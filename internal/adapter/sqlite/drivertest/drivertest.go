// Package drivertest is what the tests of the stores on SQLite share. Only tests
// import it.
package drivertest

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// Open opens a new file that has the given schema, for the time of the test.
func Open(tb testing.TB, steps []db.Migration) *db.DB {
	tb.Helper()
	file, err := db.Open(tb.Context(), filepath.Join(tb.TempDir(), "a.db"), steps, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := file.Close(); err != nil {
			tb.Error(err)
		}
	})
	return file
}
