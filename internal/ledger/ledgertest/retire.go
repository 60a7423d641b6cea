package ledgertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Each case keeps its notifications for a number of days that no other case has: cases share a store.
const (
	keptWalked = 11 + iota
	keptRetired
	keptMoving
	keptErased
)

// rested creates a notification that has ended and is kept for so many days, with so many chunks.
func (f *fixture) rested(id push.ID, days int, ago time.Duration, chunks int) push.Notification {
	f.Helper()
	n := f.notification()
	n.ID = id
	n.AcceptedAt = epoch().Add(-ago)
	n.Progress.KeepDays = days
	n = f.create(n)
	for seq := range chunks {
		l := f.claimed(f.planned(f.plan(n.ID, seq, 2)), "owner")
		l.Settle(0, push.CodeSent, false)
		l.Settle(1, push.CodeSent, false)
		f.must(f.SaveLine(f.Context(), l.Close(epoch()), l.Epoch, []ledger.Attempt{{Code: push.CodeSent, At: epoch(), Attempt: 1}}))
	}
	f.end(&n)
	return n
}

// end has a notification completed.
func (f *fixture) end(n *push.Notification) {
	f.Helper()
	n.Progress.Version++
	n.Progress.State, n.Progress.Enqueued, n.Progress.CompletedAt = push.StateCompleted, true, epoch()
	f.must(f.Advance(f.Context(), n.ID, n.Progress))
}

// walk lists what is kept for so many days, in pages of limit.
func (f *fixture) walk(days, limit int) (all []ledger.Aged) {
	f.Helper()
	for place := ""; ; {
		page, err := f.Aged(f.Context(), days, place, limit)
		f.must(err)
		if len(page) == 0 {
			return all
		}
		if len(page) > limit {
			f.Fatalf("limit %d gave %d", limit, len(page))
		}
		all = append(all, page...)
		place = page[len(page)-1].Place
	}
}

func (f *fixture) wantAged(when string, days int, want ...push.ID) (found []ledger.Aged) {
	f.Helper()
	f.eventually(func() string {
		found = f.walk(days, 1000)
		var ids []push.ID
		for i := range found {
			ids = append(ids, found[i].ID)
		}
		if !slices.Equal(ids, want) {
			return fmt.Sprintf("%s, of what is kept for %d days there is listed %s, want %s", when, days, describe(ids), describe(want))
		}
		return ""
	})
	return found
}

func agedByKeep(f *fixture) {
	const total = 7
	var want []push.ID
	for i := range total {
		n := f.rested(push.NewID(push.PrefixNotification), keptWalked, time.Duration(total-i)*time.Hour, 0)
		want = append(want, n.ID)
	}
	f.rested(push.NewID(push.PrefixNotification), keptWalked+10, 100*time.Hour, 0)
	keeps, err := f.Keeps(f.Context())
	f.must(err)
	if !slices.Contains(keeps, keptWalked) || !slices.Contains(keeps, keptWalked+10) || !slices.IsSorted(keeps) {
		f.Fatalf("things are kept for %v days", keeps)
	}
	found := f.wantAged("in one page", keptWalked, want...)
	for _, limit := range []int{1, 2, 3} {
		f.same(fmt.Sprintf("in pages of %d", limit), f.walk(keptWalked, limit), found)
	}
	first := found[0]
	if first.Tenant != f.tenant || !first.AcceptedAt.Equal(epoch().Add(-total*time.Hour)) || first.Progress.KeepDays != keptWalked ||
		first.Progress.Version != 1 || !first.Rests() || first.LastChange().Before(epoch()) {
		f.Fatalf("listed %+v", first)
	}
}

func retire(f *fixture) {
	ctx := f.Context()
	n := f.rested(push.NewID(push.PrefixNotification), keptRetired, time.Hour, 1)
	later := f.rested(push.NewID(push.PrefixNotification), keptRetired, 0, 0)
	aged := f.wantAged("when both have ended", keptRetired, n.ID, later.ID)
	at := epoch().Add(time.Hour)
	done, err := f.Retire(ctx, aged[:1], at)
	f.must(err)
	f.same("retired", done, []bool{true})
	done, err = f.Retire(ctx, aged[:1], at)
	f.must(err)
	f.same("retired once more", done, []bool{false})
	_, err = f.Notification(ctx, n.ID)
	f.mustBe(err, push.ErrNotFound)
	page, _, err := f.Notifications(ctx, f.tenant, "", 10)
	f.must(err)
	if len(page) != 1 || page[0].ID != later.ID {
		f.Fatalf("%d are listed", len(page))
	}
	f.wantAged("when one is retired", keptRetired, later.ID)
	next := n.Progress
	next.Version++
	f.mustBe(f.Advance(ctx, n.ID, next), push.ErrConflict)
	if _, _, err := f.Create(ctx, n); push.OutageOf(err) != push.OutageBusy {
		f.Fatalf("the id is given again before it is free: %v", err)
	}
	f.wantRetired(at, n.ID, false)
	f.wantRetired(at.Add(time.Second), n.ID, true)
	f.wantErased(n.ID)
	f.wantRetired(at.Add(time.Second), n.ID, false)
	if gone, err := f.Erase(ctx, []push.ID{later.ID, n.ID}, 10); err != nil || gone != 2 {
		f.Fatalf("erasing what is not retired: %d, %v", gone, err)
	}
	if _, err := f.Notification(ctx, later.ID); err != nil {
		f.Fatalf("what is not retired was erased: %v", err)
	}
	n.Progress.Version, n.Progress.State = 0, push.StateAccepted
	f.create(n)
}

func (f *fixture) wantRetired(before time.Time, id push.ID, want bool) {
	f.Helper()
	f.eventually(func() string {
		ids, err := f.Retired(f.Context(), before, 1000)
		f.must(err)
		if slices.Contains(ids, id) != want {
			return fmt.Sprintf("retired before %v: %s, want %s among them: %t", before, describe(ids), id, want)
		}
		return ""
	})
}

// wantErased erases a notification, and looks for what is left of it.
func (f *fixture) wantErased(id push.ID) {
	f.Helper()
	gone, err := f.Erase(f.Context(), []push.ID{id}, 100)
	f.must(err)
	lines, err := f.Lines(f.Context(), id, 0, 10)
	f.must(err)
	plans, err := f.Plans(f.Context(), id, 0, 10)
	f.must(err)
	attempts, err := f.Attempts(f.Context(), push.ChunkRef{Notification: id})
	f.must(err)
	if gone != 1 || len(lines)+len(plans)+len(attempts) > 0 {
		f.Fatalf("erased %d; %d lines, %d plans, %d attempts are left", gone, len(lines), len(plans), len(attempts))
	}
}

func notRetired(f *fixture) {
	ctx := f.Context()
	// Back and forth: what is revived, or changes, after it was listed.
	revived := f.rested(push.NewID(push.PrefixNotification), keptMoving, 2*time.Hour, 0)
	changed := f.rested(push.NewID(push.PrefixNotification), keptMoving, time.Hour, 0)
	f.rested(push.NewID(push.PrefixNotification), keptMoving, 0, 0)
	aged := f.walk(keptMoving, 1000)
	f.eventually(func() string {
		if aged = f.walk(keptMoving, 1000); len(aged) != 3 {
			return fmt.Sprintf("%d are listed", len(aged))
		}
		return ""
	})
	for _, n := range []*push.Notification{&revived, &changed} {
		n.Progress.Version++
		if n == &revived {
			n.Progress.State = push.StateSending
		}
		f.must(f.Advance(ctx, n.ID, n.Progress))
	}
	done, err := f.Retire(ctx, aged[:2], epoch())
	f.must(err)
	f.same("retired", done, []bool{false, false})
	aged[0].Progress = revived.Progress // even who has seen the change cannot
	done, err = f.Retire(ctx, aged[:1], epoch())
	f.must(err)
	f.same("retired while it is sent", done, []bool{false})
	for _, n := range []push.Notification{revived, changed} {
		got, err := f.Notification(ctx, n.ID)
		f.must(err)
		f.same("stored", got, n)
	}
}

func eraseInPieces(f *fixture) {
	const chunks, most = 5, 4
	n := f.rested(push.NewID(push.PrefixBatch), keptErased, time.Hour, chunks)
	other := f.rested(push.NewID(push.PrefixBatch), keptErased, 0, 1)
	aged := f.wantAged("when both have ended", keptErased, n.ID, other.ID)
	_, err := f.Retire(f.Context(), aged[:1], epoch())
	f.must(err)
	steps := 0
	for gone := 0; gone == 0; steps++ {
		gone, err = f.Erase(f.Context(), []push.ID{n.ID}, most)
		f.must(err)
		if steps > chunks*3 {
			f.Fatal("it does not come to an end")
		}
	}
	if steps < 2 {
		f.Fatalf("%d chunks went in one step of %d rows", chunks, most)
	}
	f.wantErased(n.ID)
	counts, err := f.Counts(f.Context(), other.ID)
	f.must(err)
	f.same("recipients of the other", counts.Recipients, int64(2))
}
