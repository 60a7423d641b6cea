package ledgertest

import (
	"strings"
	"sync"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// eraseRecipients does it to a small notification, and to one that a driver may keep apart from
// its head.
func eraseRecipients(f *fixture) {
	for _, text := range []string{"Hi", strings.Repeat("long ", 4000)} {
		n := f.notification()
		n.Message = push.Message(`{"notification":{"title":"` + text + `"}}`)
		_, _, err := f.Create(f.Context(), n)
		f.must(err)
		sending := push.Progress{Version: n.Progress.Version + 1, State: push.StateSending, Enqueued: true, Sources: 2, Pages: 1}
		f.must(f.Advance(f.Context(), n.ID, sending))
		before, err := f.Notification(f.Context(), n.ID)
		f.must(err)
		f.must(f.EraseRecipients(f.Context(), n.ID, func(n *push.Notification) bool {
			n.Target.Tokens, n.Message = []push.Token{"gone", n.Target.Tokens[1]}, push.Message(`{"data":{}}`)
			n.Tenant, n.Labels = "another", map[string]string{"not": "this"}
			return true
		}))
		got, err := f.Notification(f.Context(), n.ID)
		f.must(err)
		want := before
		want.Target.Tokens, want.Message = []push.Token{"gone", "token-2"}, push.Message(`{"data":{}}`)
		f.same("the erased notification", got, want)
		// The progress goes on from where it was.
		sending.Version, sending.State = want.Progress.Version+1, push.StateCompleted
		f.must(f.Advance(f.Context(), n.ID, sending))
		f.must(f.EraseRecipients(f.Context(), n.ID, func(n *push.Notification) bool { n.Target.Tokens = nil; return false }))
		got, err = f.Notification(f.Context(), n.ID)
		f.must(err)
		f.same("what a change that returns false leaves", got.Target, want.Target)
	}
	err := f.EraseRecipients(f.Context(), push.NewID(push.PrefixNotification), func(*push.Notification) bool { return true })
	f.mustBe(err, push.ErrNotFound)
}

func eraseConcurrently(f *fixture) {
	const callers = 4
	n := f.notification()
	n.Target.Tokens = make([]push.Token, callers)
	_, _, err := f.Create(f.Context(), n)
	f.must(err)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			err := f.EraseRecipients(f.Context(), n.ID, func(n *push.Notification) bool {
				all := append([]push.Token(nil), n.Target.Tokens...)
				all[i] = "gone"
				n.Target.Tokens = all
				return true
			})
			if err != nil {
				f.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := f.Notification(f.Context(), n.ID)
	f.must(err)
	for i, v := range got.Target.Tokens {
		if v != "gone" {
			f.Errorf("the erasure of %d was lost", i)
		}
	}
}

func eraseHashes(f *fixture) {
	ref := push.ChunkRef{Notification: push.NewID(push.PrefixBatch), Seq: 17}
	p := ledger.Plan{Ref: ref, Tenant: f.tenant, FirstLine: 1, Sources: 3, Hashes: []uint64{1, 2, 3}, Cells: make([]ledger.Cell, 3)}
	_, err := f.Plan(f.Context(), []ledger.Plan{p}, epoch())
	f.must(err)
	f.must(f.EraseHashes(f.Context(), ref, []int{0, 2, 99}, 1<<63))
	f.must(f.EraseHashes(f.Context(), ref, []int{0, 2}, 1<<63)) // again
	p.Hashes = []uint64{1 << 63, 2, 1 << 63}
	got, err := f.Plans(f.Context(), ref.Notification, 0, 10)
	f.must(err)
	f.same("the plan", got, []ledger.Plan{p})
	f.must(f.EraseHashes(f.Context(), push.ChunkRef{Notification: ref.Notification, Seq: 18}, []int{0}, 1))
}
