package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// contents is how many of what writeAll writes one after the other is there: of
// pages, messages and documents.
func contents(t *testing.T, dir string) (pages, messages, documents int) {
	t.Helper()
	b := openBackend(t, dir)
	for query, to := range map[string]*int{`SELECT count(*) FROM page`: &pages, `SELECT count(*) FROM document`: &documents} {
		d := b.main
		if to == &pages {
			d = b.pages
		}
		if err := d.Read().QueryRowContext(t.Context(), query).Scan(to); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.queues.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM message`).Scan(&messages); err != nil {
		t.Fatal(err)
	}
	return pages, messages, documents
}

// A backup beside writers, in this process and in another, is of one moment.
func TestBackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBackend(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	var written atomic.Int64
	wrote, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for n := 0; ctx.Err() == nil; n++ {
			if err := writeAll(context.WithoutCancel(ctx), b, n, 200_000); err != nil {
				ended <- err
				return
			}
			written.Store(int64(n + 1))
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
		ended <- nil
	}()
	var last, total int64
	for i := range 5 {
		for range 5 { // until it is at work
			<-wrote
		}
		before := int(written.Load())
		to := filepath.Join(t.TempDir(), "deep", strconv.Itoa(i))
		c, err := Backup(t.Context(), dir, to, func(done, of int64) { last, total = done, of })
		if err != nil {
			t.Fatal(err)
		}
		if c.Path != to || len(c.Files) != 3 || c.Directory == "" || c.At.IsZero() || last != total || total == 0 {
			t.Errorf("%+v, %d of %d", c, last, total)
		}
		pages, messages, documents := contents(t, to)
		if documents < before || messages < documents || pages < messages || pages > documents+1 {
			t.Errorf("%d were written before; the copy has %d pages, %d messages, %d documents", before, pages, messages, documents)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A backup of what no process uses, and of what a kill left.
func TestBackupOfAStillDirectory(t *testing.T) {
	t.Parallel()
	old := makeDirectory(t)
	forget(t, old, "queue.db", "store.db", "pages.db")
	for name, dir := range map[string]string{"closed": makeDirectory(t), "killed": killed(t, "grow", 20), "of an earlier version": old} {
		to := filepath.Join(t.TempDir(), "copy")
		c, err := Backup(t.Context(), dir, to, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pages, messages, documents := contents(t, to)
		wantPages, wantMessages, wantDocuments := contents(t, dir)
		if pages != wantPages || messages != wantMessages || documents != wantDocuments {
			t.Errorf("%s: the copy has %d pages, %d messages, %d documents", name, pages, messages, documents)
		}
		if id := opens(t, to); id != c.Directory {
			t.Errorf("%s: the copy has the id %s, told %s", name, id, c.Directory)
		}
		names, err := os.ReadDir(filepath.Dir(to))
		if err != nil || len(names) != 1 {
			t.Errorf("%s: beside the copy: %v, %v", name, names, err)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir, parent := makeDirectory(t), t.TempDir()
	broken := makeDirectory(t)
	remove(t, broken, "queue.db")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, from, to, want string
		ctx                  context.Context //nolint:containedctx // what a case is about
	}{
		{"a path that exists", dir, parent, "overwrites nothing", t.Context()},
		{"a directory with a fault", broken, filepath.Join(parent, "a"), "queue.db is missing", t.Context()},
		{"no directory", filepath.Join(parent, "none"), filepath.Join(parent, "a"), "no such file", t.Context()},
		{"an empty directory", t.TempDir(), filepath.Join(parent, "a"), "no data directory", t.Context()},
		{"an interrupt", dir, filepath.Join(parent, "a"), "context canceled", cancelled},
	} {
		_, err := Backup(c.ctx, c.from, c.to, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// planLine plans a chunk of three recipients.
func planLine(t *testing.T, s *Store, id push.ID, seq int) ledger.Line {
	t.Helper()
	lines, err := s.Plan(t.Context(),
		[]ledger.Plan{{Ref: push.ChunkRef{Notification: id, Seq: seq}, Hashes: make([]uint64, 3), Cells: make([]ledger.Cell, 3)}}, epochTime)
	if err != nil {
		t.Fatal(err)
	}
	return lines[0]
}

var epochTime = rows.FromMicros(1_800_000_000_000_000)

// Whoever a restored ledger has open may have been sent to since: all are
// flagged, of chunks that are planned only then, too, and nobody else.
func TestRestoredLedgerDoubtsWhatIsOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBackend(t, dir)
	for i := range 2 {
		insertNotification(t, b, fmt.Sprintf("old-%d", i))
	}
	line := planLine(t, b.Store(), "old-0", 0)
	line, err := line.Claim("me", 0, epochTime)
	if err != nil {
		t.Fatal(err)
	}
	line.Settle(1, push.CodeSent, false)
	if err := b.Store().SaveLine(t.Context(), line, line.Epoch-1, nil); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	c, err := Backup(t.Context(), dir, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // until it is settled
		restored, err := Open(t.Context(), to, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if r := restored.Restored(); r == nil || r.Lines != 1 || r.Mixed || !r.Files["queue.db"].Equal(c.At.Truncate(1000)) {
			t.Errorf("restored: %+v, want of %v", r, c.At)
		}
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
	restored := openBackend(t, to)
	if err := restored.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := openBackend(t, to)
	if r := again.Restored(); r != nil {
		t.Errorf("settled, and still %+v", r)
	}
	insertNotification(t, again, "new")
	got, err := again.Store().Line(t.Context(), push.ChunkRef{Notification: "old-0"})
	if err != nil {
		t.Fatal(err)
	}
	for want, l := range map[string]ledger.Line{
		"true false true":   got,
		"true true true":    planLine(t, again.Store(), "old-1", 0),
		"false false false": planLine(t, again.Store(), "new", 0),
	} {
		flags := fmt.Sprint(l.Cells[0].PossibleDuplicate(), l.Cells[1].PossibleDuplicate(), l.Cells[2].PossibleDuplicate())
		if flags != want {
			t.Errorf("%s is flagged %s, want %s", l.Ref, flags, want)
		}
	}
	if got.Cells[1].Code() != push.CodeSent || got.UpdatedAt != epochTime {
		t.Errorf("the line became %+v", got)
	}
	counts, err := again.Store().Counts(t.Context(), "old-0")
	if err != nil || counts.PossibleDuplicates != 2 {
		t.Errorf("counts: %+v, %v", counts, err)
	}
}

// insertNotification puts a head into the ledger, as far as plans look at it.
func insertNotification(t *testing.T, b *Backend, id string) {
	t.Helper()
	err := b.main.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(),
			`INSERT INTO notification (id, tenant, accepted_at, version, outbox, progress) VALUES (?, '', 0, 1, 0, '{"state":"sending"}')`, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Files of two backups are told from those of one.
func TestFilesOfTwoBackups(t *testing.T) {
	t.Parallel()
	dir := makeDirectory(t)
	first, second := filepath.Join(t.TempDir(), "1"), filepath.Join(t.TempDir(), "2")
	for _, to := range []string{first, second} {
		if _, err := Backup(t.Context(), dir, to, nil); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, filepath.Join(second, "queue.db"), filepath.Join(first, "queue.db"))
	if r := openBackend(t, first).Restored(); r == nil || !r.Mixed {
		t.Errorf("two backups: %+v", r)
	}
	copyFile(t, filepath.Join(second, "queue.db"), filepath.Join(dir, "queue.db"))
	if r := openBackend(t, dir).Restored(); r == nil || !r.Mixed || r.Lines != 0 || len(r.Files) != 1 {
		t.Errorf("one file of a backup: %+v", r)
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	ctx, log := t.Context(), zap.NewNop()
	for _, file := range []string{"queue.db", "pages.db"} {
		dir := makeDirectory(t)
		id := opens(t, dir)
		remove(t, dir, file)
		if err := Repair(ctx, dir, file, log); err != nil {
			t.Fatal(err)
		}
		if got := opens(t, dir); got != id {
			t.Errorf("the id was %s, is %s", id, got)
		}
		if err := Repair(ctx, dir, file, log); !errors.Is(err, ErrNotLost) {
			t.Errorf("repaired what is whole: %v", err)
		}
	}
	for _, file := range []string{"queue.db", "store.db", "pages.db"} {
		dir := killed(t, "long", 1)
		remove(t, dir, file+db.LogSuffix)
		if err := Repair(ctx, dir, file+db.LogSuffix, log); err != nil {
			t.Fatal(err)
		}
		b := openBackend(t, dir)
		if r := b.Restored(); r == nil || len(r.Files) != 1 || r.Files[file].IsZero() {
			t.Errorf("after the log of %s was lost: %+v", file, r)
		}
	}
	for _, c := range []struct{ remove, lost string }{
		{"store.db", "store.db"}, {"store.db", ""}, {"queue.db", "pages.db"}, {"queue.db", "queue.db-wal"},
	} {
		dir := makeDirectory(t)
		remove(t, dir, c.remove)
		before := listing(t, dir)
		if err := Repair(ctx, dir, c.lost, log); err == nil || !strings.Contains(err.Error(), c.remove+" is missing") {
			t.Errorf("without %s, %q is repaired: %v", c.remove, c.lost, err)
		}
		if after := listing(t, dir); !slices.Equal(before, after) {
			t.Errorf("there were %v, there are %v", before, after)
		}
	}
}
