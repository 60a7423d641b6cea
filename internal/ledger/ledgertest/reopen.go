package ledgertest

import (
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// closedDead returns a stored, closed line of three: sent, dead, dead.
func (f *fixture) closedDead() ledger.Line {
	f.Helper()
	line := f.claimed(f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 3)), "owner")
	line.Settle(0, push.CodeSent, false)
	line.Settle(1, push.CodeAttemptsExhausted, false)
	line.Settle(2, push.CodeAttemptsExhausted, true)
	closed := line.Close(epoch().Add(time.Minute))
	f.must(f.SaveLine(f.Context(), closed, closed.Epoch, []ledger.Attempt{attempt(1, "evidence")}))
	return closed
}

func reopen(f *fixture) {
	closed := f.closedDead()
	replay := push.NewID(push.PrefixReplay)
	next, marks, err := closed.Reopen([]int{1, 2}, replay, epoch().Add(time.Hour))
	f.must(err)
	for _, stale := range []int64{closed.Epoch - 1, closed.Epoch + 1} {
		f.mustBe(f.ReopenLine(f.Context(), next, stale, marks), ledger.ErrFenced)
	}
	f.must(f.ReopenLine(f.Context(), next, closed.Epoch, marks))
	got, err := f.Line(f.Context(), closed.Ref)
	f.must(err)
	f.same("reopened line", got, next)
	evidence, err := f.Attempts(f.Context(), closed.Ref)
	f.must(err)
	f.same("evidence", evidence, append([]ledger.Attempt{attempt(1, "evidence")}, marks...))
	f.same("cells with the replay's mark", ledger.ReopenedBy(evidence, replay), map[int]bool{1: true, 2: true})
	counts, err := f.Counts(f.Context(), closed.Ref.Notification)
	f.must(err)
	if counts.ByCode[push.CodeOpen] != 2 || counts.ChunksClosed != 0 || counts.PossibleDuplicates != 1 {
		f.Errorf("counts after reopening: %d open, %d closed, %d possible duplicates; want 2, 0, 1",
			counts.ByCode[push.CodeOpen], counts.ChunksClosed, counts.PossibleDuplicates)
	}

	// It goes on like any other line, and may be reopened once more.
	again := f.claimed(next, "second")
	again.Settle(1, push.CodeSent, false)
	again.Settle(2, push.CodeAttemptsExhausted, false)
	f.must(f.SaveLine(f.Context(), again.Close(epoch().Add(2*time.Hour)), again.Epoch, nil))
	closed, err = f.Line(f.Context(), closed.Ref)
	f.must(err)
	next, marks, err = closed.Reopen([]int{2}, replay, epoch().Add(3*time.Hour))
	f.must(err)
	f.must(f.ReopenLine(f.Context(), next, closed.Epoch, marks))
}

func reopenOnlyClosed(f *fixture) {
	line := f.claimed(f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 2)), "owner")
	forged := line
	forged.Epoch++
	f.mustBe(f.ReopenLine(f.Context(), forged, line.Epoch, []ledger.Attempt{attempt(0, "lost")}), ledger.ErrFenced)
	got, err := f.Line(f.Context(), line.Ref)
	f.must(err)
	f.same("a line in delivery", got, line)
	evidence, err := f.Attempts(f.Context(), line.Ref)
	f.must(err)
	f.same("evidence", evidence, []ledger.Attempt(nil))
	ghost := ledger.Line{Ref: push.ChunkRef{Notification: push.NewID(push.PrefixNotification)}, Tenant: f.tenant, Epoch: 1}
	f.mustBe(f.ReopenLine(f.Context(), ghost, 0, nil), ledger.ErrFenced)
}

func reopenConcurrently(f *fixture) {
	const replays = 6
	closed := f.closedDead()
	var winners atomic.Int64
	together(replays, func(int) {
		next, marks, err := closed.Reopen([]int{1}, push.NewID(push.PrefixReplay), epoch().Add(time.Hour))
		if err != nil {
			f.Error(err)
			return
		}
		if err := f.ReopenLine(f.Context(), next, closed.Epoch, marks); err == nil {
			winners.Add(1)
		} else {
			f.mustBeAsync(err, ledger.ErrFenced)
		}
	})
	evidence, err := f.Attempts(f.Context(), closed.Ref)
	f.must(err)
	if winners.Load() != 1 || len(evidence) != 2 {
		f.Fatalf("%d replays won and %d pieces of evidence are there, want 1 and 2", winners.Load(), len(evidence))
	}
}
