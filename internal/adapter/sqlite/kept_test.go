package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// TestKeptBefore: notifications of a directory from before keep_days have no bound of their own.
func TestKeptBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(t.Context(), dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	var ids []push.ID
	for range 3 {
		n := push.Notification{ID: push.NewID(push.PrefixNotification), Tenant: "acme", AcceptedAt: time.Now()}
		n.Progress = push.Progress{State: push.StateCompleted, Enqueued: true}
		if _, _, err := b.Store().Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// Back to the schema of then.
	steps := storeMigrations()
	file := openFile(t, filepath.Join(dir, "store.db"), steps)
	if err := file.Write(t.Context(), func(tx *sql.Tx) error {
		for _, text := range []string{
			`DROP INDEX notification_by_keep`, `ALTER TABLE notification DROP COLUMN keep_days`, `DELETE FROM migration WHERE version = 14`,
		} {
			if _, err := tx.ExecContext(context.Background(), text); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = Open(t.Context(), dir, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	keeps, err := b.Store().Keeps(t.Context())
	if err != nil || len(keeps) != 1 || keeps[0] != 0 {
		t.Errorf("things are kept for %v days, %v", keeps, err)
	}
	aged, err := b.Store().Aged(t.Context(), 0, "", 10)
	if err != nil || len(aged) != len(ids) || aged[0].ID != ids[0] || aged[0].Progress.KeepDays != 0 {
		t.Errorf("listed %+v, %v", aged, err)
	}
}
