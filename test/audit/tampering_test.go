package audit

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/cli/belfry"
	"github.com/belfry-push/belfry/internal/cli/clitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs belfry.
func run(args ...string) clitest.Result {
	var out, errs bytes.Buffer
	code := belfry.Main(args, &out, &errs, strings.NewReader(""), nil)
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

// blocks is how many blocks of one entry the log of a tenant begins with.
const blocks = 6

// directory is a data directory with logs of the tenants default and other.
func directory(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	b, err := sqlite.Open(tb.Context(), dir, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	keys, err := journal.LoadKeys(tb.Context(), "", b.Store(), at)
	if err != nil {
		tb.Fatal(err)
	}
	j := journal.New(journal.Config{
		Store: b.Store(), Keys: keys, Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
		Now: func() time.Time { at = at.Add(time.Minute); return at }, // one writer at a time, and every head is kept
	})
	for _, tenant := range []string{"default", "other"} {
		for n := range blocks {
			err := j.Record(tb.Context(), audit.Entry{
				Tenant: tenant, Who: audit.Who{Name: "key:9f86d081"}, Action: "cancelNotification", Kind: audit.Change, Status: 200,
				Target: audit.Target{Kind: "notifications", ID: "ntf_" + strconv.Itoa(n)},
			})
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := j.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if err := b.Close(); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// change runs statements on the files of a directory.
func change(tb testing.TB, dir string, f func(exec func(query string, args ...any), file *sql.DB)) {
	tb.Helper()
	file, err := db.OpenExisting(filepath.Join(dir, "store.db"))
	if err != nil {
		tb.Fatal(err)
	}
	f(func(query string, args ...any) {
		tb.Helper()
		if _, err := file.ExecContext(tb.Context(), query, args...); err != nil {
			tb.Fatal(err)
		}
	}, file)
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
}

// body changes the lines of a block.
func body(tb testing.TB, dir string, first int, f func([]audit.Line) []audit.Line) {
	tb.Helper()
	change(tb, dir, func(exec func(string, ...any), file *sql.DB) {
		var packed []byte
		row := file.QueryRowContext(tb.Context(), `SELECT body FROM audit_block WHERE tenant = 'default' AND first = ?`, first)
		if err := row.Scan(&packed); err != nil {
			tb.Fatal(err)
		}
		packed, err := audit.Pack(f(audit.Unpack(packed)))
		if err != nil {
			tb.Fatal(err)
		}
		exec(`UPDATE audit_block SET body = ? WHERE tenant = 'default' AND first = ?`, packed, first)
	})
}

// statement is tampering by one statement.
func statement(query string) func(testing.TB, string) {
	return func(tb testing.TB, dir string) {
		tb.Helper()
		change(tb, dir, func(exec func(string, ...any), _ *sql.DB) { exec(query) })
	}
}

// Whatever somebody does to the tables, the command finds it, and says what and where.
func TestTamperingWithTheStoreIsFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(tb testing.TB, dir string)
		want []string // texts of the output; none: nothing is wrong
	}{
		"nothing": {func(testing.TB, string) {}, nil},
		"an entry is edited": {func(tb testing.TB, dir string) {
			tb.Helper()
			body(tb, dir, 3, func(l []audit.Line) []audit.Line {
				l[0].Entry = bytes.Replace(l[0].Entry, []byte("ntf_2"), []byte("ntf_9"), 1)
				return l
			})
		}, []string{"1 FINDING", "edited", "block 3"}},
		"an entry and its hash are edited": {func(tb testing.TB, dir string) {
			tb.Helper()
			body(tb, dir, 1, func(l []audit.Line) []audit.Line {
				l[0].Entry = bytes.Replace(l[0].Entry, []byte("ntf_0"), []byte("ntf_9"), 1)
				l[0].Hash = audit.Next(audit.Genesis("default"), l[0].Entry)
				return l
			})
		}, []string{"rewritten", "block 1"}},
		"a block is emptied": {
			statement(`UPDATE audit_block SET body = x''
			WHERE tenant = 'default' AND first = 3`),
			[]string{"missing", "block 3"},
		},
		"a block is removed": {
			statement(`DELETE FROM audit_block
			WHERE tenant = 'default' AND first = 3`),
			[]string{"missing", "block 4", "entry 3"},
		},
		"the first is removed": {
			statement(`DELETE FROM audit_block
			WHERE tenant = 'default' AND first = 1`),
			[]string{"missing", "block 2"},
		},
		"the end is cut off": {
			statement(`DELETE FROM audit_block
			WHERE tenant = 'default' AND first > 4`),
			[]string{"truncated", "5-6", "end"},
		},
		"two blocks are swapped": {
			statement(`UPDATE audit_block SET first = CASE first WHEN 3 THEN -4 ELSE -3 END
			WHERE tenant = 'default' AND first IN (3, 4);
			UPDATE audit_block SET first = -first WHERE first < 0`),
			[]string{"reordered", "entry 3 stands behind entry 4"},
		},
		"a block is there twice": {
			statement(`INSERT INTO audit_block 
			SELECT tenant, 100, last, hash, signed_at, key, signature, body FROM audit_block
			WHERE tenant = 'default' AND first = 3`),
			[]string{"duplicate", "block 100", "entry 3"},
		},
		"another tenant's block": {
			statement(`UPDATE audit_block SET body = (SELECT body FROM audit_block
			WHERE tenant = 'other' AND first = 3) WHERE tenant = 'default' AND first = 3`),
			[]string{"foreign", "block 3", `tenant "other"`},
		},
		"all of another tenant's": {
			statement(`DELETE FROM audit_block
			WHERE tenant = 'default';
			UPDATE audit_block SET tenant = 'default'`),
			[]string{"foreign"},
		},
		"a signature is edited": {
			statement(`UPDATE audit_block SET signature = zeroblob(64)
			WHERE tenant = 'default' AND first = 3`),
			[]string{"forged", "block 3"},
		},
		"a head's time is edited": {
			statement(`UPDATE audit_block SET signed_at = 1
			WHERE tenant = 'default' AND first = 3`),
			[]string{"forged", "block 3"},
		},
		"a kept head is edited": {
			statement(`UPDATE audit_head SET hash = zeroblob(32)
			WHERE tenant = 'default' AND seq = 3`),
			[]string{"forged", "kept head"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			tt.do(t, dir)
			got := run("audit", "verify", "--data", dir, "--tenant", "default")
			if tt.want == nil {
				got.Expect(t, 0, "default: 6 entries (1 to 6)", "nothing is wrong")
				return
			}
			got.Expect(t, 1, tt.want...)
		})
	}
}

// Whoever cuts off the end and every head of it is found by a head that was noted down.
func TestANotedHeadProvesTruncation(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	var reports []audit.Report
	got := run("audit", "verify", "--data", dir, "--tenant", "default", "-o", "json")
	if err := json.Unmarshal([]byte(got.Out), &reports); err != nil || len(reports) != 1 || !reports[0].OK() {
		t.Fatalf("%v: %s%s", err, got.Out, got.Err)
	}
	statement(`DELETE FROM audit_block WHERE last > 4; DELETE FROM audit_head WHERE seq > 4`)(t, dir)
	args := []string{"audit", "verify", "--data", dir, "--tenant", "default"}
	run(args...).Expect(t, 0, "nothing is wrong")
	run(append(args, "--head", reports[0].Head.Brief())...).Expect(t, 1, "truncated", "it was given")
}

// An exported file is verified without a server, and whatever is done to it is found.
func TestTamperingWithAFileIsFound(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	file := filepath.Join(t.TempDir(), "audit.ndjson")
	run("audit", "export", "--data", dir, "-f", file).Expect(t, 0)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n")
	// The first line, a head for each block, then each entry with its head, and the last line.
	const entry3 = 1 + blocks + 4
	tests := map[string]struct {
		do   func(l []string) []string
		want []string
	}{
		"nothing": {func(l []string) []string { return l }, nil},
		"an entry is edited": {
			func(l []string) []string { l[entry3] = strings.Replace(l[entry3], "ntf_2", "ntf_9", 1); return l },
			[]string{"edited", "line 12"},
		},
		"an entry is removed": {func(l []string) []string { return slices.Delete(l, entry3, entry3+1) }, []string{"missing", "line 12"}},
		"two entries are swapped": {
			func(l []string) []string { l[entry3], l[entry3+2] = l[entry3+2], l[entry3]; return l },
			[]string{"reordered", "line 14"},
		},
		"an entry is repeated":      {func(l []string) []string { return slices.Insert(l, entry3, l[entry3]) }, []string{"duplicate", "line 13"}},
		"the end is cut off":        {func(l []string) []string { return l[:entry3] }, []string{"the export is cut off", "truncated"}},
		"the end is cut off neatly": {func(l []string) []string { return append(l[:entry3], l[len(l)-1]) }, []string{"truncated"}},
		"a head is removed":         {func(l []string) []string { return slices.Delete(l, len(l)-2, len(l)-1) }, []string{"unsigned"}},
		"a line is no JSON":         {func(l []string) []string { l[entry3] = "{\n"; return l }, []string{"malformed", "line 12"}},
		"a line is half":            {func(l []string) []string { l[len(l)-1] = l[len(l)-1][:5]; return l }, []string{"malformed"}},
		"another one's key": {func(l []string) []string {
			l[0] = strings.Replace(l[0], "belfry-audit-public:", "belfry-audit-public:x", 1)
			return l
		}, []string{"key"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run("audit", "verify", clitest.File(t, "x.ndjson", strings.Join(tt.do(slices.Clone(lines)), "")))
			if tt.want == nil {
				got.Expect(t, 0, "nothing is wrong")
				return
			}
			if got.Code == 0 {
				t.Error("nothing was found")
			}
			got.Expect(t, got.Code, tt.want...)
		})
	}
	t.Run("with another key", func(t *testing.T) {
		t.Parallel()
		made := run("audit", "key")
		_, public, _ := strings.Cut(strings.TrimSpace(made.Out), "public: ")
		run("audit", "verify", file, "--key", public).Expect(t, 1, "forged", "none of those")
	})
}

// The log is listed, and what a command reads is in it with the local user's name.
func TestListing(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	run("audit", "list", "--data", dir, "--kind", "change", "--target-id", "ntf_2").Expect(t, 0, "cancelNotification", "key:9f86d081")
	run("audit", "list", "--data", dir, "--kind", "read").Expect(t, 0, "listAudit", "local:")
	run("audit", "list", "--data", filepath.Join(dir, "no")).Expect(t, 2, "there is no directory")
}
