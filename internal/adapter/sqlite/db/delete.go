package db

import (
	"context"
	"database/sql"
)

// DeleteRows runs a deletion and returns how many rows it removed. It is bulk, see
// [DB.WriteLater]: the query should have a limit.
func (d *DB) DeleteRows(ctx context.Context, query string, args ...any) (int, error) {
	var n int64
	err := d.WriteLater(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return int(n), err
}
