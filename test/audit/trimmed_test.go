package audit

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit/journal"
)

// trimmed is a data directory from whose logs retention has removed all but the last three entries.
func trimmed(tb testing.TB) string {
	tb.Helper()
	dir := directory(tb)
	b, err := sqlite.Open(tb.Context(), dir, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	keys, err := journal.LoadKeys(tb.Context(), "", b.Store(), time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	t := journal.Trimmer{
		Store: b.Store(), Keys: keys, Keep: 30 * 24 * time.Hour, Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
	}
	blocks, err := b.Store().AuditBlocks(tb.Context(), "default", 4, 1)
	if err != nil {
		tb.Fatal(err)
	}
	for more := true; more; {
		if _, more, err = t.Step(tb.Context(), blocks[0].Head.Time.Add(t.Keep)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// What retention removed is told apart from what somebody removed.
func TestTamperingWithRetentionIsFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(tb testing.TB, dir string)
		want []string // none: nothing is wrong
	}{
		"nothing": {func(testing.TB, string) {}, nil},
		"the checkpoint says more": {
			statement(`UPDATE audit_checkpoint SET seq = 4 WHERE tenant = 'default'`),
			[]string{"forged", "checkpoint", "missing", "1-3"},
		},
		"the checkpoint says more, and more is removed": {
			statement(`UPDATE audit_checkpoint SET (seq, hash, signed_at, key, signature) =
				(SELECT last, hash, signed_at, key, signature FROM audit_block WHERE tenant = 'default' AND first = 4) WHERE tenant = 'default';
			DELETE FROM audit_block WHERE tenant = 'default' AND first = 4`),
			[]string{"forged", "checkpoint", "missing", "1-4"},
		},
		"the checkpoint's hash is edited": {
			statement(`UPDATE audit_checkpoint SET hash = zeroblob(32) WHERE tenant = 'default'`),
			[]string{"forged", "checkpoint", "missing", "1-3"},
		},
		"the checkpoint is removed": {
			statement(`DELETE FROM audit_checkpoint WHERE tenant = 'default'`),
			[]string{"missing", "1-3", "no checkpoint says"},
		},
		"more is removed than it says": {
			statement(`DELETE FROM audit_block WHERE tenant = 'default' AND first = 4`),
			[]string{"missing", "entry 4 is not there", "no checkpoint says"},
		},
		"all is removed but the checkpoint": {
			statement(`DELETE FROM audit_block WHERE tenant = 'default'`),
			[]string{"truncated", "nothing stands behind the checkpoint"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := trimmed(t)
			tt.do(t, dir)
			got := run("audit", "verify", "--data", dir, "--tenant", "default")
			if tt.want == nil {
				got.Expect(t, 0, "default: 3 entries (4 to 6)", "nothing is wrong", "entries are there since 2026-12-01T09:",
					"those up to 3 were removed by retention")
				run("audit", "export", "--data", dir, "--tenant", "default").Expect(t, 0, `{"removed":`)
				return
			}
			got.Expect(t, 1, tt.want...)
		})
	}
}
