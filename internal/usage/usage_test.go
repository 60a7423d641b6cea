package usage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestEqualsTheLedger: whatever happens in whatever order, and wherever a process that keeps books is
// killed, usage is what the ledger has and had, to the unit, as soon as it is asked for anew.
func TestEqualsTheLedger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		tenants, appNames := []string{"acme", "default"}, []string{"", "shop"}
		one := func() push.ID {
			if len(w.order) == 0 {
				return w.accept("acme", "", 3)
			}
			return w.order[r.IntN(len(w.order))]
		}
		alive := func(f func(id push.ID)) {
			if id := one(); w.live[id].ID != "" {
				f(id)
			}
		}
		for range rapid.IntRange(5, 60).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{
				"accept", "accept", "accept", "plan", "end", "end", "replay", "time", "day", "round", "killed", "remove", "ask", "two",
			}).Draw(rt, "step") {
			case "accept":
				for range r.IntN(5) {
					w.accept(tenants[r.IntN(2)], appNames[r.IntN(2)], r.IntN(6))
				}
			case "plan":
				alive(w.plan)
			case "end":
				alive(func(id push.ID) { w.end(id, anyCode(r)) })
			case "replay":
				alive(w.replay)
			case "time":
				w.now = w.now.Add(time.Duration(r.IntN(600)) * time.Second)
			case "day":
				w.now = w.now.Add(time.Duration(r.IntN(36)) * time.Hour)
			case "round":
				w.must(w.room.Round(t.Context()))
			case "killed":
				w.now = w.now.Add(time.Duration(r.IntN(20)) * time.Minute)
				w.docs.left = r.IntN(8)
				if err := w.room.Round(t.Context()); err != nil && !errors.Is(err, errKilled) {
					rt.Fatal(err)
				}
				w.docs.left = -1
				w.restart()
			case "remove":
				alive(func(id push.ID) {
					if r.IntN(3) == 0 {
						w.docs.left = r.IntN(5)
					}
					if err := w.remove(id); err != nil && !errors.Is(err, errKilled) {
						rt.Fatal(err)
					}
					w.docs.left = -1
				})
			case "ask":
				_, _ = w.got(all(), 1+r.IntN(5))
			case "two":
				// Somebody else walks between what this process reads and writes.
				other := w.room
				w.restart()
				w.must(other.Round(t.Context()))
			}
		}
		w.now = w.now.Add(2 * time.Minute) // what was asked for before is not the answer any more
		got, page := w.got(all(), 1+r.IntN(7))
		if diff := cmp.Diff(w.want(), got); diff != "" || !page.Complete {
			rt.Fatalf("usage, complete %t (-ledger +usage):\n%s", page.Complete, diff)
		}
	})
}

// TestForgetfulLedger: DynamoDB forgets lines and heads by itself, in any order. What was used stays.
func TestForgetfulLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead := func(int) push.Code { return push.CodeAttemptsExhausted }
	first, second := w.accept("acme", "", 4), w.accept("acme", "shop", 5)
	w.end(first, dead)
	w.end(second, dead)
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.room.Round(t.Context()))
	want := w.want()
	w.ledger.ForgetLine(push.ChunkRef{Notification: first}) // its head lives on for a while
	w.ledger.ForgetNotification(second)
	for range 3 {
		w.now = w.now.Add(time.Hour)
		w.must(w.room.Round(t.Context()))
		if got, _ := w.got(all(), 100); !cmp.Equal(want, got) {
			t.Fatalf("usage (-before +after):\n%s", cmp.Diff(want, got))
		}
	}
	w.ledger.ForgetNotification(first)
	w.now = w.now.Add(time.Hour)
	w.must(w.room.Round(t.Context()))
	p, err := w.room.Rows(t.Context(), all(), "", 100)
	w.must(err)
	if len(p.Rows) != 2 || !p.Rows[0].Final || !p.Rows[1].Final {
		t.Errorf("a day whose notifications are gone: %+v", p.Rows)
	}
}

// TestBooks: a day closes when nothing of it can change, its lists go, and a tenant of many notifications is
// walked page by page.
func TestBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent := func(int) push.Code { return push.CodeSent }
	var open []push.ID
	for i := range 3*page + 7 {
		w.now = w.now.Add(time.Second)
		id := w.accept("acme", fmt.Sprintf("app-%d", i%3), 1)
		if i%2 == 0 {
			w.end(id, sent)
		} else {
			open = append(open, id)
		}
	}
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.room.Round(t.Context()))
	lists := func() int {
		ds, _, err := w.docs.Documents(t.Context(), kindList, "", 1000)
		w.must(err)
		return len(ds)
	}
	if n := lists(); n != 4 {
		t.Errorf("%d lists of what may change", n)
	}
	row := func() Row {
		p, err := w.room.Rows(t.Context(), Query{Tenant: "acme", Since: "2026-11-28", Until: "2026-11-29", Group: ByDay}, "", 10)
		w.must(err)
		if len(p.Rows) != 1 || p.Next != "" {
			t.Fatalf("rows %+v, next %q", p.Rows, p.Next)
		}
		return p.Rows[0]
	}
	if got := row(); got.Final || got.Requests != 3*page+7 || got.Open() != int64(len(open)) || got.App != "" {
		t.Errorf("%+v", got)
	}
	for _, id := range open[1:] {
		w.end(id, sent)
	}
	w.now = w.now.Add(time.Hour)
	w.must(w.room.Round(t.Context()))
	w.now = w.now.Add(time.Hour)
	w.must(w.room.Round(t.Context()))
	if n := lists(); n > 2 {
		t.Errorf("%d lists for one notification", n)
	}
	w.end(open[0], sent)
	w.now = w.now.Add(time.Hour)
	w.must(w.room.Round(t.Context()))
	w.accept("acme", "", 1) // the day is left only when there is another
	w.now = w.now.Add(time.Hour)
	w.must(w.room.Round(t.Context()))
	w.must(w.room.Round(t.Context()))
	if got := row(); !got.Final || got.Billable() != 3*page+7 {
		t.Errorf("%+v", got)
	}
	b, err := w.room.book(t.Context(), "acme")
	w.must(err)
	d, err := w.room.day(t.Context(), "acme", "2026-11-28")
	w.must(err)
	if len(b.Open) != 0 || len(d.Gone) != 0 || len(d.Lists) != 0 {
		t.Errorf("book %+v, lists %v, to go %v", b, d.Lists, d.Gone)
	}
	ds, _, err := w.docs.Documents(t.Context(), kindList, "", 1000)
	w.must(err)
	for i := range ds {
		if ds[i].Name[:len("acme/2026-11-28")] == "acme/2026-11-28" {
			t.Errorf("%s is left", ds[i].Name)
		}
	}
}

// TestGroups: a page ends with a whole day, and every grouping has the same sum.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		for _, tenant := range []string{"acme", "zoo"} {
			w.accept(tenant, "", 2)
			w.accept(tenant, "shop", 3)
		}
		w.now = w.now.Add(24 * time.Hour)
	}
	sum := func(q Query) (total Sums, rows int) {
		got, _ := w.got(q, 3)
		for _, s := range got {
			total = total.Plus(s)
		}
		return total, len(got)
	}
	whole, rows := sum(all())
	if rows != 20 || whole.Requests != 20 || whole.Recipients != 50 {
		t.Errorf("%d rows, %+v", rows, whole)
	}
	for group, want := range map[Group]int{ByDay: 10, ByApp: 4, ByTenant: 2} {
		q := all()
		q.Group = group
		if got, n := sum(q); got != whole || n != want {
			t.Errorf("by %s: %d rows, %+v, want %d, %+v", group, n, got, want, whole)
		}
	}
	q := all()
	q.Tenant, q.App, q.Since, q.Until = "zoo", "shop", "2026-11-29", "2026-12-01"
	if got, n := sum(q); got.Requests != 2 || n != 2 {
		t.Errorf("of one app and two days: %d rows, %+v", n, got)
	}
	for _, bad := range []string{"x", "acme", "acme/yesterday", "zoo/2026-11-01"} {
		if _, err := w.room.Rows(t.Context(), q, bad, 3); !errors.Is(err, push.ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

// TestTakenNotYet: what the walk has not reached must stay, and so must what another process sums
// at this moment.
func TestTakenNotYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.accept("acme", "", 2)
	n := w.live[id]
	if taken, err := w.room.Taken(t.Context(), []ledger.Aged{ledger.AgedOf(&n)}); err != nil || taken[0] {
		t.Errorf("taken before the walk may come by: %v, %v", taken, err)
	}
	w.now = w.now.Add(settling + time.Second)
	if taken, err := w.room.Taken(t.Context(), []ledger.Aged{ledger.AgedOf(&n)}); err != nil || !taken[0] {
		t.Errorf("not taken: %v, %v", taken, err)
	}
}
