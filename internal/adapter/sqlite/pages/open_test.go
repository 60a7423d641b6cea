package pages

import (
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
)

// openStore opens a store that has a file of its own, for the time of the test.
func openStore(tb testing.TB) *Store {
	tb.Helper()
	return New(drivertest.Open(tb, []db.Migration{{Version: 1, SQL: Schema}}))
}
