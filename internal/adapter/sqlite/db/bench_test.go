package db

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/zap"
)

func benchDB(b *testing.B) *DB {
	b.Helper()
	d, err := Open(b.Context(), filepath.Join(b.TempDir(), "bench.db"),
		[]Migration{{1, `CREATE TABLE item (id INTEGER PRIMARY KEY, k TEXT, body BLOB)`}}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// BenchmarkWriteSingle is one caller at a time: the latency of one durable write.
func BenchmarkWriteSingle(b *testing.B) {
	d := benchDB(b)
	body := make([]byte, 200)
	for b.Loop() {
		err := d.Write(b.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(b.Context(), `INSERT INTO item (k, body) VALUES (?, ?)`, "key", body)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteGrouped is many callers with one row each.
func BenchmarkWriteGrouped(b *testing.B) {
	d := benchDB(b)
	body := make([]byte, 200)
	const callers = 200
	var wg sync.WaitGroup
	ctx := context.Background()
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			for i := c; i < b.N; i += callers {
				err := d.Write(ctx, func(tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, `INSERT INTO item (k, body) VALUES (?, ?)`, "key", body)
					return err
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkWriteRows is callers with ten rows each, as a queue batch is.
func BenchmarkWriteRows(b *testing.B) {
	d := benchDB(b)
	body := make([]byte, 200)
	const callers, rows = 50, 10
	var wg sync.WaitGroup
	ctx := context.Background()
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			for i := c * rows; i < b.N; i += callers * rows {
				err := d.Write(ctx, func(tx *sql.Tx) error {
					for range rows {
						if _, err := tx.ExecContext(ctx, `INSERT INTO item (k, body) VALUES (?, ?)`, "key", body); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
