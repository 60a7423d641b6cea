package docs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
)

// exportTrimmed puts an exported audit log into a directory as trimmed.ndjson: of sixty days, of which retention has removed
// the first thirty. A sandbox has none so old.
func exportTrimmed(t *testing.T, dir string) {
	t.Helper()
	const day, days, kept = 24 * time.Hour, 60, 30 * 24 * time.Hour
	data := t.TempDir()
	b, err := sqlite.Open(t.Context(), data, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	store := b.Store()
	keys, err := journal.LoadKeys(t.Context(), "", store, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	metrics := journal.NewMetrics(prometheus.NewRegistry())
	at := time.Now().Add(-days * day)
	j := journal.New(journal.Config{Store: store, Keys: keys, Log: zap.NewNop(), Metrics: metrics, Now: func() time.Time { return at }})
	for range days {
		at = at.Add(day)
		e := audit.Entry{
			Tenant: access.DefaultName, Time: at, Who: audit.Who{Name: "anonymous"}, Action: "cancelNotification", Kind: audit.Change, Status: 202,
		}
		if err := j.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	err = j.Close(t.Context())
	trimmer := journal.Trimmer{Store: store, Keys: keys, Keep: kept, Log: zap.NewNop(), Metrics: metrics}
	removed := 0
	for more := true; more && err == nil; {
		var n int
		n, more, err = trimmer.Step(t.Context(), time.Now())
		removed += n
	}
	if err = errors.Join(err, b.Close()); err != nil || removed == 0 {
		t.Fatalf("%d entries were removed, %v", removed, err)
	}
	file := filepath.Join(dir, "trimmed.ndjson")
	cmd := exec.CommandContext(t.Context(), commands.Path(t, "belfry"), "audit", "export", "--data", data, "-f", file)
	cmd.Env = append(os.Environ(), "BELFRY_API=") //nolint:forbidigo // a child inherits it
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("export: %v\n%s", err, out)
	}
}
