package ledgertest

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

func createOnce(f *fixture) {
	first := f.notification()
	f.same("created", f.create(first), first)

	second := first
	second.Message = push.Message(`{"data":{"other":"body"}}`)
	second.Progress.State = push.StateCancelled
	stored, created, err := f.Create(f.Context(), second)
	f.must(err)
	if created {
		f.Error("the same id was created twice")
	}
	f.same("what the second create found", stored, first)
	got, err := f.Notification(f.Context(), first.ID)
	f.must(err)
	f.same("stored", got, first)
}

func createConcurrently(f *fixture) {
	const callers = 8
	n := f.notification()
	var winners atomic.Int64
	found := make([]push.Notification, callers)
	together(callers, func(i int) {
		mine := n
		mine.Labels = map[string]string{"caller": strconv.Itoa(i)}
		stored, created, err := f.Create(f.Context(), mine)
		if err != nil {
			f.Error(err)
		}
		if created {
			winners.Add(1)
			if stored.Labels["caller"] != strconv.Itoa(i) {
				f.Errorf("caller %d was told it won, with the item of caller %s", i, stored.Labels["caller"])
			}
		}
		found[i] = stored
	})
	if got := winners.Load(); got != 1 {
		f.Fatalf("%d creates won", got)
	}
	for _, other := range found[1:] {
		f.same("what each caller found", other, found[0])
	}
}

func roundTrip(f *fixture) {
	at := epoch()
	everything := push.Notification{
		ID: push.NewID(push.PrefixNotification), Tenant: f.tenant,
		Target: push.Target{
			Tokens: []push.Token{`quo"te\`, "z:APA91b-_"}, FIDs: []push.Token{"fid"}, UserIDs: []string{"Jürgen", "用户"},
			DeviceIDs: []push.ID{"dev-1"}, Topic: "news", Condition: "'a' in topics && 'b' in topics",
		},
		Message:    push.Message(`{"data":{"k":"\u0000 v"},"notification":{"title":"Grüße 👋🏽 שלום","body":"<b>&amp;</b>"}}`),
		Priority:   push.PriorityHigh,
		Guarantee:  push.AtMostOnce,
		CollapseID: "collapse-ü",
		Labels:     map[string]string{"campaign": "wütend 🐝", "empty": ""},
		AcceptedAt: at, TTL: 90 * time.Second, ExpiresAt: at.Add(time.Hour), PerSecond: push.MaxPerSecond,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Fingerprint: "f00d", Keyed: true,
		Progress: push.Progress{
			Version: 7, State: push.StateSending, StartedAt: at.Add(time.Second), CompletedAt: at.Add(time.Minute),
			Enqueued: true, Sources: 1 << 40, Invalid: 3, Pages: 12, Watermark: 1 << 33, BrakeOff: true,
			Held: push.Holds{
				push.PartIOS:   {Code: push.CodeFCMThirdPartyAuth, Refused: 20, Since: at.Add(time.Minute)},
				push.PartTopic: {Code: push.CodePayloadInvalid, Refused: 21, Since: at.Add(2 * time.Minute), Scattered: true},
			},
		},
	}
	bare := push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: f.tenant, Message: push.Message(`{}`), AcceptedAt: at}
	bare.Progress = push.Progress{State: push.StateUploading, Enqueued: true}
	for name, n := range map[string]push.Notification{"everything": everything, "bare": bare} {
		f.create(n)
		got, err := f.Notification(f.Context(), n.ID)
		f.must(err)
		f.same(name, got, n)
		if !got.AcceptedAt.Equal(n.AcceptedAt) || got.ExpiresAt.IsZero() != n.ExpiresAt.IsZero() {
			f.Errorf("%s: times are %v and %v", name, got.AcceptedAt, got.ExpiresAt)
		}
		if string(got.Message) != string(n.Message) {
			f.Errorf("%s: message is %s", name, got.Message)
		}
	}
}

func advance(f *fixture) {
	n := f.create(f.notification())
	next := n.Progress
	next.Version++
	next.State = push.StateSending
	next.StartedAt = epoch().Add(time.Second)
	f.must(f.Advance(f.Context(), n.ID, next))

	stale := next
	stale.State = push.StateCancelled
	f.mustBe(f.Advance(f.Context(), n.ID, stale), push.ErrConflict)
	stale.Version += 2
	f.mustBe(f.Advance(f.Context(), n.ID, stale), push.ErrConflict)
	f.mustBe(f.Advance(f.Context(), push.NewID(push.PrefixNotification), next), push.ErrConflict)

	n.Progress = next
	got, err := f.Notification(f.Context(), n.ID)
	f.must(err)
	f.same("advanced", got, n)
}

func advanceConcurrently(f *fixture) {
	n := f.create(f.notification())
	const rounds, callers = 3, 6
	for round := range rounds {
		var winners atomic.Int64
		together(callers, func(i int) {
			next := n.Progress
			next.Version = int64(round + 1)
			next.Watermark = int64(100*round + i)
			if err := f.Advance(f.Context(), n.ID, next); err == nil {
				winners.Add(1)
			} else {
				f.mustBeAsync(err, push.ErrConflict)
			}
		})
		if got := winners.Load(); got != 1 {
			f.Fatalf("round %d: %d advances won", round, got)
		}
	}
}

// ancient is a time before that of every notification of other cases and
// other runs that share the table, so that the outbox, which is common to all
// tenants, shows this case's first.
func ancient() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }

// waiting returns which of this case's notifications are in the outbox.
func (f *fixture) waiting() []push.ID {
	f.Helper()
	all, err := f.Unenqueued(f.Context(), ancient().Add(time.Hour), 1000)
	f.must(err)
	var ids []push.ID
	for _, n := range all {
		if n.Tenant == f.tenant {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (f *fixture) wantWaiting(when string, want ...push.ID) {
	f.Helper()
	f.eventually(func() string {
		if got := f.waiting(); !slices.Equal(got, want) {
			return fmt.Sprintf("%s the outbox holds %s, want %s", when, describe(got), describe(want))
		}
		return ""
	})
}

func outbox(f *fixture) {
	n := f.notification()
	n.AcceptedAt = ancient()
	n.Progress.Enqueued = false
	f.create(n)
	f.wantWaiting("after create", n.ID)

	move := func(n *push.Notification, state push.State, enqueued bool) {
		f.Helper()
		n.Progress.Version++
		n.Progress.State, n.Progress.Enqueued = state, enqueued
		f.must(f.Advance(f.Context(), n.ID, n.Progress))
	}
	move(&n, push.StateAccepted, true)
	f.wantWaiting("after the enqueue")
	move(&n, push.StateAccepted, false)
	f.wantWaiting("when it needs a new message", n.ID)
	all, err := f.Unenqueued(f.Context(), ancient().Add(time.Hour), 1000)
	f.must(err)
	for _, got := range all {
		if got.ID == n.ID {
			f.same("in the outbox", got, n)
		}
	}
	early, err := f.Unenqueued(f.Context(), ancient(), 1000)
	f.must(err)
	for _, got := range early {
		if got.ID == n.ID {
			f.Error("the outbox gave a notification that was not accepted before the given time")
		}
	}
	move(&n, push.StateAccepted, true)

	b := f.notification()
	b.ID = push.NewID(push.PrefixBatch)
	b.AcceptedAt = ancient()
	b.Target = push.Target{}
	b.Progress = push.Progress{State: push.StateUploading}
	f.create(b)
	f.wantWaiting("while a batch is uploading")
	move(&b, push.StateUploading, false)
	f.wantWaiting("while a batch is still uploading")
	move(&b, push.StateAccepted, false)
	f.wantWaiting("after the batch started", b.ID)
	move(&b, push.StateAccepted, true)
	f.wantWaiting("at the end")
}

func outboxOrder(f *fixture) {
	var want []push.ID
	made := make([]push.Notification, 5)
	for i := range made {
		n := f.notification()
		n.AcceptedAt = ancient().Add(time.Duration(len(made)-i) * time.Second)
		n.Progress.Enqueued = false
		made[i] = f.create(n)
		want = append(want, n.ID)
	}
	slices.Reverse(want)
	f.wantWaiting("after five creates", want...)
	few, err := f.Unenqueued(f.Context(), ancient().Add(time.Hour), 2)
	f.must(err)
	if len(few) != 2 {
		f.Errorf("limit 2 gave %d", len(few))
	}
	for _, n := range made {
		n.Progress.Version++
		n.Progress.Enqueued = true
		f.must(f.Advance(f.Context(), n.ID, n.Progress))
	}
}

func list(f *fixture) {
	const total = 8
	var want []push.Notification
	for i := range total {
		n := f.notification()
		n.AcceptedAt = epoch().Add(time.Duration(i/2) * time.Millisecond) // pairs share a time
		want = append(want, f.create(n))
	}
	other := f.notification()
	other.Tenant += "-other"
	f.create(other)

	for _, limit := range []int{1, 3, total, 1000} {
		f.eventually(func() string {
			got := f.listed(limit)
			if len(got) != total {
				return fmt.Sprintf("limit %d: %d notifications, want %d", limit, len(got), total)
			}
			if !slices.IsSortedFunc(got, func(a, b push.Notification) int { return b.AcceptedAt.Compare(a.AcceptedAt) }) {
				return fmt.Sprintf("limit %d: not newest first", limit)
			}
			byID := func(a, b push.Notification) int { return cmpID(a.ID, b.ID) }
			slices.SortFunc(got, byID)
			slices.SortFunc(want, byID)
			return cmp.Diff(want, got)
		})
	}

	// A newcomer does not disturb a walk that is under way.
	page, cursor, err := f.Notifications(f.Context(), f.tenant, "", 5)
	f.must(err)
	late := f.notification()
	late.AcceptedAt = epoch().Add(time.Hour)
	f.create(late)
	rest, _, err := f.Notifications(f.Context(), f.tenant, cursor, 1000)
	f.must(err)
	if len(page)+len(rest) != total {
		f.Errorf("a walk of %d notifications saw %d + %d", total, len(page), len(rest))
	}
}

// behind holds that a listing begins where a caller wants it to: behind any
// notification, and at any time.
func behind(f *fixture) {
	const total = 6
	for i := range total {
		n := f.notification()
		n.AcceptedAt = epoch().Add(time.Duration(i/2) * time.Millisecond) // pairs share a time
		f.create(n)
	}
	var all []push.Notification
	f.eventually(func() string {
		if all = f.listed(total); len(all) != total {
			return fmt.Sprintf("%d notifications, want %d", len(all), total)
		}
		return ""
	})
	for i := range all {
		rest, _, err := f.Notifications(f.Context(), f.tenant, f.Behind(all[i].AcceptedAt, all[i].ID), total)
		f.must(err)
		f.same(fmt.Sprintf("what stands behind number %d", i), rest, append([]push.Notification{}, all[i+1:]...))
	}
	for ms, want := range map[int]int{-1: 0, 0: 0, 1: 2, 2: 4, 3: total} {
		before := f.Behind(epoch().Add(time.Duration(ms)*time.Millisecond), "!") // smaller than any id
		found, _, err := f.Notifications(f.Context(), f.tenant, before, total)
		f.must(err)
		if len(found) != want {
			f.Errorf("%d notifications from before %d ms, want %d", len(found), ms, want)
		}
	}
}

// accepted holds that a tenant's notifications are listed in the order in which they were
// accepted, between any place and any time, and another's not.
func accepted(f *fixture) {
	const total = 6
	var all []push.Notification
	for i := range total {
		n := f.notification()
		n.AcceptedAt = epoch().Add(time.Duration(i/2) * time.Millisecond) // pairs share a time
		all = append(all, f.create(n))
	}
	slices.SortFunc(all, oldestFirst)
	other := f.notification()
	other.Tenant += "-other"
	f.create(other)
	end := epoch().Add(time.Hour)
	listed := func(after time.Time, id push.ID, before time.Time, limit int) []push.Notification {
		f.Helper()
		page, err := f.Accepted(f.Context(), f.tenant, after, id, before, limit)
		f.must(err)
		return page
	}
	f.eventually(func() string { return cmp.Diff(all, listed(time.Time{}, "", end, total)) })
	for i := range all {
		f.same(fmt.Sprintf("what was accepted behind number %d", i), listed(all[i].AcceptedAt, all[i].ID, end, total), all[i+1:])
	}
	f.same("the first of them", listed(time.Time{}, "", end, 1), all[:1])
	for ms, want := range map[int]int{-1: total, 0: total, 1: 4, 2: 2, 3: 0} {
		at := epoch().Add(time.Duration(ms) * time.Millisecond)
		f.same(fmt.Sprintf("what was accepted from %d ms on", ms), listed(at, "", end, total), all[total-want:])
		f.same(fmt.Sprintf("what was accepted before %d ms", ms), listed(time.Time{}, "", at, total), all[:total-want])
	}
	f.same("nothing between a time and one before it", listed(end, "", epoch(), total), []push.Notification{})
}

func cmpID(a, b push.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// listed walks the whole listing in pages of limit.
func (f *fixture) listed(limit int) []push.Notification {
	f.Helper()
	var all []push.Notification
	cursor := ""
	for {
		page, next, err := f.Notifications(f.Context(), f.tenant, cursor, limit)
		f.must(err)
		if len(page) > limit {
			f.Fatalf("limit %d gave %d", limit, len(page))
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		if next == cursor {
			f.Fatal("the cursor stands still")
		}
		cursor = next
	}
}

func badCursor(f *fixture) {
	f.create(f.notification())
	for _, bad := range []string{"x", "not a cursor", "AAAA", "eyJub3BlIjoxfQ", "%%%", "\x00"} {
		_, _, err := f.Notifications(f.Context(), f.tenant, bad, 10)
		if err == nil {
			f.Errorf("cursor %q was taken", bad)
			continue
		}
		f.mustBe(err, push.ErrCursor)
	}
}
