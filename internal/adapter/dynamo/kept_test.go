package dynamo

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/retention"
)

// noPages are of notifications that have none.
type noPages struct{}

func (noPages) RemovePages(context.Context, push.ID, int) (int, error) { return 0, nil }

// sweep removes, twice as a process does, what is past its time after so long.
func (t tables) sweep(tb testing.TB, after time.Duration) {
	tb.Helper()
	now := time.Now().Add(after)
	for range 2 {
		s := t.later(time.Until(now))
		n := &retention.Notifications{
			Ledger: s, Pages: noPages{}, Letters: &retention.Letters{Store: s, Hidden: 15 * 24 * time.Hour, Sums: s},
			Metrics: retention.NewMetrics(prometheus.NewRegistry()),
		}
		step := n.Sweep().Step
		for more := true; more; {
			var err error
			_, more, err = step(tb.Context(), now)
			must(tb, err)
		}
		now = now.Add(10 * time.Minute)
	}
}

// items counts what is stored of a notification.
func (t tables) items(tb testing.TB, id push.ID) (n int) {
	tb.Helper()
	for _, all := range (&meterer{tables: t}).everything(tb) {
		for name := range all {
			if len(name) >= len(id) && name[:len(id)] == string(id) {
				n++
			}
		}
	}
	s := t.store()
	lines, err := s.Lines(tb.Context(), id, 0, 100)
	must(tb, err)
	plans, err := s.Plans(tb.Context(), id, 0, 100)
	must(tb, err)
	for i := range lines {
		attempts, err := s.Attempts(tb.Context(), lines[i].Ref)
		must(tb, err)
		n += len(attempts)
	}
	return n + len(lines) + len(plans)
}

// sent stores a notification that is kept for so many days, of three chunks that have ended with a code.
func (t tables) sent(tb testing.TB, prefix string, days, tokens int, code push.Code) push.Notification {
	tb.Helper()
	s := t.store()
	n := newNotification(tokens)
	n.ID, n.Tenant, n.AcceptedAt = push.NewID(prefix), fmt.Sprintf("keeps-%d", days), time.Now().UTC().Truncate(time.Microsecond)
	n.Progress.KeepDays = days
	must(tb, third(s.Create(tb.Context(), n)))
	for seq := range 3 {
		lines, err := s.Plan(tb.Context(), []ledger.Plan{newPlan(n.ID, seq, 2)}, time.Now())
		must(tb, err)
		l, err := lines[0].Claim("owner", 0, time.Now())
		must(tb, err)
		must(tb, s.SaveLine(tb.Context(), l, 0, nil))
		l.Settle(0, code, false)
		l.Settle(1, push.CodeSent, false)
		must(tb, s.SaveLine(tb.Context(), l.Close(time.Now()), l.Epoch, answers(2, time.Now())))
	}
	n.Progress.Version++
	n.Progress.State, n.Progress.Enqueued, n.Progress.CompletedAt = push.StateCompleted, true, time.Now().UTC()
	must(tb, s.Advance(tb.Context(), n.ID, n.Progress))
	return n
}

// TestKeptForDays: tenants whose notifications are kept for a shorter time than TTL keeps them, in the
// same tables. Nothing of what is past its time is left, nothing of the rest is touched, and what something still needs
// stays whole.
func TestKeptForDays(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	x := newTables(t)
	s := x.store()
	week := x.sent(t, push.PrefixNotification, 7, 2, push.CodeSent)
	large := x.sent(t, push.PrefixBatch, 7, 500, push.CodeSent) // its body is an item of its own
	month := x.sent(t, push.PrefixBatch, 30, 2, push.CodeSent)
	unset := x.sent(t, push.PrefixNotification, 0, 2, push.CodeSent)
	long := x.sent(t, push.PrefixNotification, 365, 2, push.CodeSent)
	died := x.sent(t, push.PrefixNotification, 7, 2, push.CodeAttemptsExhausted)
	open := x.sent(t, push.PrefixNotification, 7, 2, push.CodeSent)
	open.Progress.Version++
	open.Progress.State = push.StatePaused
	must(t, s.Advance(t.Context(), open.ID, open.Progress))

	holds := func(when string, want map[push.ID]bool) {
		t.Helper()
		for id, kept := range want {
			_, err := s.Notification(t.Context(), id)
			n := x.items(t, id)
			switch {
			case kept && (err != nil || n < 1+3*4):
				t.Errorf("%s: of %s there are %d items: %v", when, id, n, err)
			case !kept && (!errors.Is(err, push.ErrNotFound) || n > 0):
				t.Errorf("%s: of %s there are %d items still: %v", when, id, n, err)
			}
		}
	}
	x.sweep(t, 6*day)
	holds("after six days", map[push.ID]bool{week.ID: true, large.ID: true, month.ID: true, unset.ID: true, died.ID: true, open.ID: true})
	x.sweep(t, 8*day)
	holds("after eight days", map[push.ID]bool{
		week.ID: false, large.ID: false, month.ID: true, unset.ID: true, long.ID: true, died.ID: true, open.ID: true,
	})
	// The letter is drained as late as a queue allows.
	letter := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterRecipient, Tenant: died.Tenant, Queue: push.QueueBulk,
		Code: push.CodeAttemptsExhausted, Notification: died.ID, Fingerprint: "f", State: push.LetterParked, Version: 1,
		AcceptedAt: died.AcceptedAt, DeadAt: died.AcceptedAt, StoredAt: died.AcceptedAt,
	}
	must(t, second(s.PutLetters(t.Context(), []push.Letter{letter})))
	x.sweep(t, 20*day)
	holds("while there is a letter", map[push.ID]bool{month.ID: true, died.ID: true, open.ID: true})
	// It is discarded, and forgotten.
	must(t, second(s.MoveLetters(t.Context(), []push.LetterMove{{
		ID: letter.ID, Version: 1, State: push.LetterDiscarded, At: time.Now().Add(-48 * time.Hour), Reason: "x", By: "x",
	}})))
	x.sweep(t, 20*day)
	holds("while the letter is remembered", map[push.ID]bool{died.ID: true})
	must(t, second(s.PurgeLetters(t.Context(), time.Now(), 10)))
	x.sweep(t, 31*day)
	holds("after a month", map[push.ID]bool{month.ID: false, died.ID: false, unset.ID: true, long.ID: true, open.ID: true})
}

// TestKeepWritesNothingMore: what no tenant has bounded is in no partition that is swept, and its TTL is what it was.
func TestKeepWritesNothingMore(t *testing.T) {
	t.Parallel()
	m := newMeterer(t)
	for days, want := range map[int]string{0: "", 7: "k7#", 90: "", 365: ""} {
		n := newNotification(2)
		n.Progress.KeepDays = days
		must(t, third(m.store.Create(t.Context(), n)))
		n.Progress.Version++
		n.Progress.State, n.Progress.Enqueued = push.StateCompleted, true
		must(t, m.store.Advance(t.Context(), n.ID, n.Progress))
		head := m.everything(t)[m.prefix+"-notifications"][string(n.ID)]
		if got := head.Text("outbox"); len(got) < len(want) || got[:len(want)] != want || want == "" && got != "" {
			t.Errorf("kept for %d days, it stands in the partition %q", days, got)
		}
		if got := head.Number(table.TTLAttribute); got != at().Add(DefaultRetention).Unix() {
			t.Errorf("kept for %d days, its TTL is %d", days, got)
		}
	}
}
