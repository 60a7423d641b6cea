package ledger

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
)

// openStore opens a store that has a file of its own, for the time of the test.
func openStore(tb testing.TB) *Store {
	tb.Helper()
	return New(drivertest.Open(tb, []db.Migration{
		{Version: 1, SQL: SchemaNotifications},
		{Version: 2, SQL: SchemaLines},
		{Version: 3, SQL: SchemaSuspects},
		{Version: 4, SQL: SchemaUnfinished},
		{Version: 5, SQL: SchemaFirst},
		{Version: 6, SQL: SchemaRetired},
		{Version: 7, SQL: SchemaKeep},
	}))
}

func benchTime() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }
