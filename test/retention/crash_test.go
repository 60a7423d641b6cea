package retention

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// around puts faults around what removes.
type around struct {
	retention.Ledger
	retention.PageStore

	calls *workertest.Calls
}

func (a around) Retire(ctx context.Context, ns []ledger.Aged, at time.Time) (done []bool, err error) {
	err = a.calls.Do("Retire", func() error { done, err = a.Ledger.Retire(ctx, ns, at); return err })
	return done, err
}

func (a around) Erase(ctx context.Context, ids []push.ID, most int) (n int, err error) {
	err = a.calls.Do("Erase", func() error { n, err = a.Ledger.Erase(ctx, ids, min(most, 7)); return err }) // in many pieces
	return n, err
}

func (a around) RemovePages(ctx context.Context, id push.ID, limit int) (n int, err error) {
	err = a.calls.Do("RemovePages", func() error { n, err = a.PageStore.RemovePages(ctx, id, limit); return err })
	return n, err
}

// TestDiesAnywhere: wherever a sweep dies, before or after a write took effect, who reads
// finds every notification whole or not at all, and the next sweep removes the rest.
func TestDiesAnywhere(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%t", after), func(t *testing.T) {
			t.Parallel()
			h := open(t, t.TempDir())
			for d := range 9 { // the newest is none that is abandoned
				h.live(d)
			}
			calls := &workertest.Calls{}
			sweep := func(n int) error {
				m := retention.NewMetrics(prometheus.NewRegistry())
				calls.Die(n, after)
				a := around{h.store, h.store, calls}
				return h.roomOf(m, h.sweeps(a, a, m)).Pass(t.Context())
			}
			h.now = h.began.Add(keepNotifications + 60*day)
			deaths := 0
			for n := 1; sweep(n) != nil; n++ {
				deaths++
				h.whole()
				h.now = h.now.Add(time.Hour)
			}
			if deaths < 10 {
				t.Errorf("only %d sweeps died", deaths)
			}
			calls.Mend()
			h.must(h.room().Pass(t.Context()))
			h.now = h.now.Add(time.Hour)
			h.must(h.room().Pass(t.Context()))
			h.empty()
		})
	}
}

// whole fails unless every notification that is there has all that it had.
func (h *house) whole() {
	h.tb.Helper()
	ctx := h.tb.Context()
	for cursor := ""; ; {
		ns, next, err := h.store.Notifications(ctx, tenant, cursor, 100)
		h.must(err)
		for i := range ns {
			n := &ns[i]
			if n.Progress.State == push.StateUploading {
				continue
			}
			want := int64(1)
			if n.ID.IsBatch() {
				want = batchSize
			}
			c, err := h.store.Counts(ctx, n.ID)
			h.must(err)
			plans, err := h.store.Plans(ctx, n.ID, 0, 10)
			h.must(err)
			attempts, err := h.store.Attempts(ctx, push.ChunkRef{Notification: n.ID})
			h.must(err)
			if c.Recipients != want || len(plans) != 1 || int64(len(attempts)) != want {
				h.tb.Fatalf("%s has %d recipients, %d plans and %d attempts, want %d", n.ID, c.Recipients, len(plans), len(attempts), want)
			}
		}
		if cursor = next; cursor == "" {
			return
		}
	}
}

// empty fails unless nothing is left but the newest notification, and what a letter is about.
func (h *house) empty() {
	h.tb.Helper()
	h.close()
	defer h.open()
	for file, tables := range map[string][]string{
		"store.db": {"notification", "notification_body", "chunk_line", "chunk_plan", "chunk_attempt", "idempotency", "letter_tally"},
		"pages.db": {"page"},
		"queue.db": {"message", "body"},
	} {
		d, err := db.OpenExisting(filepath.Join(h.dir, file))
		h.must(err)
		for _, table := range tables {
			where := ``
			switch table {
			case "notification", "notification_body":
				where = ` WHERE seq < (SELECT max(seq) FROM notification)`
			case "chunk_line", "chunk_plan", "chunk_attempt":
				where = ` WHERE notification NOT IN (SELECT id FROM notification)`
			}
			if table == "notification" {
				where += ` AND id NOT IN (SELECT notification FROM letter)`
			}
			if table == "notification_body" {
				where += ` AND seq NOT IN (SELECT seq FROM notification)`
			}
			var n int
			h.must(d.QueryRowContext(h.tb.Context(), `SELECT count(*) FROM `+table+where).Scan(&n))
			if n > 0 {
				h.tb.Errorf("%d rows are left in %s", n, table)
			}
		}
		h.must(d.Close())
	}
}

// TestChild is what the other process runs.
func TestChild(t *testing.T) { //nolint:paralleltest // alone in its process
	_, dir := childtest.Role(t)
	h := open(t, dir)
	fmt.Fprintln(os.Stdout, "ready")
	m := retention.NewMetrics(prometheus.NewRegistry())
	a := around{h.store, h.store, &workertest.Calls{}} // for the many pieces
	sweeps := h.sweeps(a, a, m)
	for h.now = h.began.Add(keepNotifications + 60*day); t.Context().Err() == nil; h.now = h.now.Add(time.Hour) {
		h.must(h.roomOf(m, sweeps).Pass(t.Context()))
	}
}

// TestKilledSweeper: the same with kill -9.
func TestKilledSweeper(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := open(t, dir)
	for d := range 20 {
		h.live(d)
	}
	h.close()
	for i := range 6 {
		child := childtest.Spawn(t, "sweep", dir)
		if got := child.Line(); got != "ready" {
			t.Fatalf("the child says %q", got)
		}
		wait := time.NewTimer(time.Duration(5+20*i) * time.Millisecond) // anywhere in its work
		<-wait.C
		err := child.Cmd.Process.Kill()
		_ = child.Cmd.Wait()
		h.open()
		h.whole()
		h.close()
		h.must(err)
	}
	h.open()
	h.now = h.began.Add(keepNotifications + 60*day)
	for range 3 {
		h.must(h.room().Pass(t.Context()))
		h.now = h.now.Add(time.Hour)
	}
	h.empty()
}
