package rows_test

import (
	"bytes"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
)

// A column that was scanned stays as it was, whatever is read afterwards.
func TestOwnedColumnsAreOwned(t *testing.T) {
	t.Parallel()
	file := drivertest.Open(t, []db.Migration{{Version: 1, SQL: `CREATE TABLE item (body BLOB);
		INSERT INTO item VALUES (x'6161616161616161'), (x'6262626262626262'), ('cccccccc'), (NULL), (x'')`}})
	var got []rows.Owned
	for range 2 {
		some, err := rows.Collect(t.Context(), file.Read(), func(row rows.Scanner) (o rows.Owned, err error) {
			return o, row.Scan(&o)
		}, `SELECT body FROM item`)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range some[:3] {
			o[0]++ // in nobody else's
		}
		got = append(got, some...)
	}
	want := []string{"baaaaaaa", "cbbbbbbb", "dccccccc", "", ""}
	for i, o := range got {
		if w := want[i%len(want)]; !bytes.Equal(o, []byte(w)) {
			t.Errorf("row %d is %q, want %q", i, o, w)
		}
	}
	var o rows.Owned
	if o.Scan(int64(1)) == nil {
		t.Error("a number was scanned as bytes")
	}
}
