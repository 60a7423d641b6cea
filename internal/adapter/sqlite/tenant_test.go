package sqlite

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// tenantless are the tables without a column tenant, and why that keeps tenants apart all the same. Whoever adds a table
// gives it the column, or a reason here.
func tenantless() map[string]string {
	const (
		bookkeeping  = "is about the file"
		notification = "is found by the id of a notification, which is one tenant's, and whose row is read by tenant before"
		letter       = "is found through its letter_group, which has the tenant"
	)
	return map[string]string{
		"queue.db directory": bookkeeping, "queue.db migration": bookkeeping, "queue.db queue_time": bookkeeping,
		"store.db directory": bookkeeping, "store.db migration": bookkeeping,
		"pages.db directory": bookkeeping, "pages.db migration": bookkeeping,

		"queue.db queue":   "is a name of the installation's",
		"queue.db message": "has it in grp, by which queues take turns, and workers in what they receive",
		"queue.db body":    "is the text of one message",

		"store.db notification_body": "is the rest of one row of notification, which has the tenant",
		"store.db chunk_attempt":     notification,
		"pages.db page":              notification,
		"store.db letter":            letter,
		"store.db letter_body":       letter,
		"store.db letter_tally":      "is found by the id of a replay, whose document names the tenant",
		"store.db document":          "has kinds whose names begin with the tenant, or whose value names it, as its room decides",
		"store.db seen_tenant":       "is the list of tenants that seen refers to",
	}
}

// TestEveryTableHasATenant wants the tenant in every table, or a reason.
func TestEveryTableHasATenant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	reasons := tenantless()
	for _, file := range dataFiles() {
		for table, has := range tenantColumns(t, filepath.Join(dir, file.name)) {
			name := file.name + " " + table
			switch _, excused := reasons[name]; {
			case !has && !excused:
				t.Errorf("the table %s has no column tenant: give it one, or say here why it needs none", name)
			case has && excused:
				t.Errorf("the table %s has a column tenant, and a reason for having none", name)
			}
			delete(reasons, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		t.Errorf("there is no table %s", name)
	}
}

// tenantColumns are the tables of a file, and whether each has a column tenant.
func tenantColumns(t *testing.T, file string) map[string]bool {
	t.Helper()
	pool, err := db.OpenExisting(file, "query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	const query = `SELECT m.name, count(c.name) FILTER (WHERE c.name = 'tenant') FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' GROUP BY m.name`
	rows, err := pool.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	tables := map[string]bool{}
	for rows.Next() {
		var name string
		var columns int
		if err := rows.Scan(&name, &columns); err != nil {
			t.Fatal(err)
		}
		tables[name] = columns > 0
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}
