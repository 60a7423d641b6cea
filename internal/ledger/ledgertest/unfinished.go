package ledgertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// open returns which of this case's notifications are listed as unfinished, in
// pages of limit.
func (f *fixture) open(limit int) []push.ID {
	f.Helper()
	var ids []push.ID
	for cursor := ""; ; {
		page, next, err := f.Unfinished(f.Context(), ancient().Add(time.Hour), cursor, limit)
		f.must(err)
		if len(page) > limit {
			f.Fatalf("limit %d gave %d", limit, len(page))
		}
		for _, n := range page {
			if n.Tenant == f.tenant {
				ids = append(ids, n.ID)
			}
		}
		if next == "" {
			return ids
		}
		if next == cursor {
			f.Fatal("the cursor stands still")
		}
		cursor = next
	}
}

func (f *fixture) wantOpen(when string, want ...push.ID) {
	f.Helper()
	f.eventually(func() string {
		if got := f.open(1000); !slices.Equal(got, want) {
			return fmt.Sprintf("%s the list of what is not finished holds %s, want %s", when, describe(got), describe(want))
		}
		return ""
	})
}

func unfinished(f *fixture) {
	n := f.notification()
	n.AcceptedAt = ancient()
	n.Progress.Enqueued = false
	f.create(n)
	f.wantOpen("while it is in the outbox")
	move := func(n *push.Notification, change func(p *push.Progress)) {
		f.Helper()
		n.Progress.Version++
		change(&n.Progress)
		f.must(f.Advance(f.Context(), n.ID, n.Progress))
	}
	to := func(s push.State) func(p *push.Progress) {
		return func(p *push.Progress) { p.State, p.Enqueued = s, true }
	}
	for _, s := range []push.State{push.StateAccepted, push.StateSending, push.StatePaused, push.StateCancelled, push.StateDeadLettered} {
		move(&n, to(s))
		f.wantOpen("when it is "+string(s), n.ID)
	}
	stored, _, err := f.Unfinished(f.Context(), ancient().Add(time.Hour), "", 1000)
	f.must(err)
	for _, got := range stored {
		if got.ID == n.ID {
			f.same("listed", got, n)
		}
	}
	move(&n, func(p *push.Progress) { p.Finished = true })
	f.wantOpen("when all of a dead-lettered one is finished")
	move(&n, func(p *push.Progress) { p.Finished, p.State = false, push.StateAccepted })
	f.wantOpen("when it is revived", n.ID)
	move(&n, func(p *push.Progress) { p.Enqueued = false })
	f.wantOpen("back in the outbox")
	move(&n, to(push.StateCompleted))
	f.wantOpen("when it is completed")

	ready := f.notification()
	ready.AcceptedAt = ancient()
	f.create(ready)
	f.wantOpen("when one is created that is on its way already", ready.ID)
	early, _, err := f.Unfinished(f.Context(), ancient(), "", 1000)
	f.must(err)
	for _, got := range early {
		if got.ID == ready.ID {
			f.Error("listed, although it was not accepted before the given time")
		}
	}
	move(&ready, to(push.StateCompleted))

	b := f.notification()
	b.ID = push.NewID(push.PrefixBatch)
	b.AcceptedAt = ancient()
	b.Progress = push.Progress{State: push.StateUploading, Enqueued: true}
	f.create(b)
	f.wantOpen("while a batch is uploading")
}

func unfinishedOrder(f *fixture) {
	const total = 7
	var want []push.ID
	made := make([]push.Notification, total)
	for i := range made {
		n := f.notification()
		n.AcceptedAt = ancient().Add(time.Duration(total-i) * time.Second)
		made[i] = f.create(n)
		want = append(want, n.ID)
	}
	slices.Reverse(want)
	f.wantOpen("after seven creates", want...)
	for _, limit := range []int{1, 2, 3, total, 1000} {
		f.same(fmt.Sprintf("in pages of %d", limit), f.open(limit), want)
	}
	for _, bad := range []string{"x", "AAAA", "%%%", "\x00"} {
		_, _, err := f.Unfinished(f.Context(), ancient(), bad, 10)
		f.mustBe(err, push.ErrCursor)
	}
	for _, n := range made {
		n.Progress.Version++
		n.Progress.State = push.StateCompleted
		f.must(f.Advance(f.Context(), n.ID, n.Progress))
	}
}
