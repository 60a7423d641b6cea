package table

import "fmt"

// Attributes that tables of several stores have.
const (
	AttrPK      = "pk"   // partition key
	AttrSK      = "sk"   // sort key
	AttrKind    = "kind" // partition key of the table of configuration
	AttrName    = "name" // sort key of the table of configuration
	AttrID      = "id"
	AttrTenant  = "tenant"
	AttrState   = "state"
	AttrVersion = "version"
	AttrUpdated = "updated_at" // microseconds since 1970
	AttrBody    = "body"
	AttrWrite   = "w" // nonce of the last write
)

// SuffixConfig is behind the prefix in the name of the table of configuration.
// Documents, idempotency records, the audit log and notes of the registry share it: a document's
// kind has no '#', the others' always has.
const SuffixConfig = "-config"

// ConfigTable is the table of configuration.
func ConfigTable(prefix string) Table {
	return Table{Name: prefix + SuffixConfig, Key: Key{Partition: AttrKind, Sort: AttrName}, TTL: TTLAttribute}
}

// Scoped is a tenant's name with its length in front, so that no name runs into
// what follows it.
func Scoped(tenant string) string { return fmt.Sprintf("%d#%s", len(tenant), tenant) }

// ConfigKey is the key of an item of the table of configuration.
func ConfigKey(kind, name string) Item { return Item{AttrKind: Text(kind), AttrName: Text(name)} }
