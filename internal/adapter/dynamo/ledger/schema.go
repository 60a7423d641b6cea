package ledger

import "github.com/belfry-push/belfry/internal/adapter/dynamo/table"

// The tables' names behind the prefix.
const (
	suffixNotifications = "-notifications"
	suffixChunks        = "-chunks"
)

// The indexes.
const (
	indexOutbox   = "outbox"
	indexByTenant = "by_tenant"
)

// Tables returns the tables of notifications and of chunks.
func Tables(prefix string) []table.Table {
	return []table.Table{
		{
			Name: prefix + suffixNotifications, Key: table.Key{Partition: table.AttrID}, TTL: table.TTLAttribute,
			Indexes: []table.Index{
				{Name: indexOutbox, Key: table.Key{Partition: attrOutbox, Sort: attrAtID}},
				{Name: indexByTenant, Key: table.Key{Partition: attrTenantShard, Sort: attrAtID}},
			},
		},
		{Name: prefix + suffixChunks, Key: table.Key{Partition: table.AttrPK, Sort: table.AttrSK}, TTL: table.TTLAttribute},
	}
}
