package sqlite

import (
	"github.com/belfry-push/belfry/internal/adapter/sqlite/audits"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/devices"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/documents"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/idempotency"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/ledger"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/letters"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/pages"
)

// storeMigrations is the schema of store.db. Times are integers, microseconds
// since 1970 UTC, 0 for none.
func storeMigrations() []db.Migration {
	return []db.Migration{
		{Version: 1, SQL: ledger.SchemaNotifications},
		{Version: 2, SQL: ledger.SchemaLines},
		{Version: 3, SQL: devices.Schema},
		{Version: 4, SQL: idempotency.Schema},
		{Version: 5, SQL: documents.Schema},
		{Version: 6, SQL: letters.Schema},
		{Version: 7, SQL: ledger.SchemaSuspects},
		{Version: 8, SQL: ledger.SchemaUnfinished},
		{Version: 9, SQL: ledger.SchemaFirst},
		{Version: 10, SQL: ledger.SchemaRetired},
		{Version: 11, SQL: devices.SchemaSeen},
		{Version: 12, SQL: audits.Schema},
		{Version: 13, SQL: audits.SchemaCheckpoint},
		{Version: 14, SQL: ledger.SchemaKeep},
	}
}

// pagesMigrations is the schema of pages.db.
func pagesMigrations() []db.Migration {
	return []db.Migration{{Version: 1, SQL: pages.Schema}}
}
