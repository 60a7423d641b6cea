package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/push"
)

// fillPages writes so many pages of a megabyte.
func fillPages(t *testing.T, b *Backend, id string, n int) {
	t.Helper()
	for i := range n {
		if _, err := b.Store().PutPage(t.Context(), push.ID(id), push.PageUpload, i, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
}

// markAlone is what the file of pages says without its log.
func markAlone(t *testing.T, dir string) db.LogMark {
	t.Helper()
	views, err := examine(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return views[2].alone.Mark
}

// The log is moved into the file before it grows long, by several processes that
// take turns, also after a reader held that up; the file never says that it is
// whole while it is in use.
func TestLogStaysShort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, other := openBackend(t, dir), openBackend(t, dir)
	short := func(when string, most int64) {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, "pages.db"+db.LogSuffix))
		if err != nil || info.Size() > most {
			t.Errorf("%s the log has %d bytes, want at most %d (%v)", when, info.Size(), most, err)
		}
		if m := markAlone(t, dir); m.Whole {
			t.Errorf("%s the file says that it is whole", when)
		}
	}
	first := markAlone(t, dir)
	const longest = 16 << 20 // a process moves a log of so many bytes
	const most = 3 * longest // each process counts its own
	fillPages(t, b, "a", 50)
	fillPages(t, other, "b", 50)
	short("after 100 MiB", most)
	if m := markAlone(t, dir); m.Log < first.Log+4 {
		t.Errorf("the log was moved %d times", m.Log-first.Log)
	}
	reader, err := b.pages.Read().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"BEGIN", "SELECT * FROM directory"} {
		if _, err := reader.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	fillPages(t, b, "c", 30)
	short("while somebody reads", 2*most)
	if _, err := reader.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	fillPages(t, b, "d", 60)
	short("after the reader has ended", 4*longest)
	copied := copyFiles(t, dir, "*")
	opens(t, copied)
	remove(t, dir, "pages.db"+db.LogSuffix)
	refused(t, dir, "pages.db", "pages.db-wal", "was not closed")
}
