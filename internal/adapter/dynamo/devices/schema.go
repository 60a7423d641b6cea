package devices

import "github.com/belfry-push/belfry/internal/adapter/dynamo/table"

// suffixDevices is behind the prefix in the table's name.
const suffixDevices = "-devices"

// The indexes.
const (
	indexByUser      = "by_user"
	indexQuarantined = "quarantined"
)

// Table is the table of devices. Notes of what was registered just now are in
// the table of configuration.
func Table(prefix string) table.Table {
	return table.Table{
		Name: prefix + suffixDevices, Key: table.Key{Partition: table.AttrPK, Sort: table.AttrSK},
		Indexes: []table.Index{
			{Name: indexByUser, Key: table.Key{Partition: attrUser, Sort: table.AttrID}},
			{Name: indexQuarantined, Key: table.Key{Partition: attrQuarantine, Sort: attrQuarantinedAt}},
		},
	}
}
