package dynamo

import (
	"github.com/belfry-push/belfry/internal/adapter/dynamo/devices"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/ledger"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/letters"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// Tables returns the tables of an installation, whose names begin with prefix
// and a dash.
func Tables(prefix string) []Table {
	tables := append(ledger.Tables(prefix), devices.Table(prefix), table.ConfigTable(prefix), letters.Table(prefix))
	for i := range tables {
		tables[i].OnDemand, tables[i].PointInTimeRecovery, tables[i].Encrypted = true, true, true
	}
	return tables
}

// AuditTable is the name of the table that has the audit log.
func AuditTable(prefix string) string { return table.ConfigTable(prefix).Name }
