package ledgertest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// mustBeAsync is mustBe for goroutines other than the test's.
func (f *fixture) mustBeAsync(got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Errorf("error = %v, want one that is %v", got, want)
	}
}

func planOnce(f *fixture) {
	id := push.NewID(push.PrefixNotification)
	first := f.plan(id, 0, 4)
	first.Cells[2] = ledger.CellOf(push.CodeDuplicate, false)
	line := f.planned(first)
	f.same("first line", line, ledger.NewLine(first, epoch()))

	claimed := f.claimed(line, "owner")
	again := f.plan(id, 0, 2)
	fresh := f.plan(id, 1, 3)
	fresh.Last = true
	lines, err := f.Plan(f.Context(), []ledger.Plan{again, fresh}, epoch().Add(time.Hour))
	f.must(err)
	f.same("lines of a second planning", lines, []ledger.Line{claimed, ledger.NewLine(fresh, epoch().Add(time.Hour))})
	plans, err := f.Plans(f.Context(), id, 0, 10)
	f.must(err)
	f.same("plans", plans, []ledger.Plan{first, fresh})

	none, err := f.Plan(f.Context(), nil, epoch())
	f.must(err)
	if len(none) != 0 {
		f.Errorf("planning nothing gave %d lines", len(none))
	}
}

func planConcurrently(f *fixture) {
	const planners = 6
	id := push.NewID(push.PrefixNotification)
	results := make([][]ledger.Line, planners)
	together(planners, func(i int) {
		// Each planner cut the page differently; one cut must hold for all.
		plans := []ledger.Plan{f.plan(id, 0, i+1), f.plan(id, 1, i+1)}
		lines, err := f.Plan(f.Context(), plans, epoch())
		if err != nil {
			f.Error(err)
		}
		results[i] = lines
	})
	for _, r := range results[1:] {
		f.same("lines of every planner", r, results[0])
	}
	plans, err := f.Plans(f.Context(), id, 0, 10)
	f.must(err)
	if len(plans) != 2 {
		f.Fatalf("%d plans, want 2", len(plans))
	}
	for i, p := range plans {
		if want := results[0][i]; len(p.Cells) != len(want.Cells) || len(p.Hashes) != len(want.Cells) {
			f.Errorf("plan %d has %d cells and %d hashes, its line %d", i, len(p.Cells), len(p.Hashes), len(want.Cells))
		}
	}
}

func planClosed(f *fixture) {
	p := f.plan(push.NewID(push.PrefixNotification), 0, 2)
	for i := range p.Cells {
		p.Cells[i] = ledger.CellOf(push.CodeNoDevice, false)
	}
	if l := f.planned(p); l.State != ledger.StateClosed {
		f.Errorf("state is %s", l.State)
	}
	got, err := f.Line(f.Context(), p.Ref)
	f.must(err)
	if got.State != ledger.StateClosed {
		f.Errorf("stored state is %s", got.State)
	}
}

func ranges(f *fixture) {
	id := push.NewID(push.PrefixBatch)
	seqs := []int{0, 1, 2, 9, 10, push.ChunksPerPage, push.ChunksPerPage + 1, 3 * push.ChunksPerPage, 1_000 * push.ChunksPerPage}
	var plans []ledger.Plan
	for _, s := range seqs {
		plans = append(plans, f.plan(id, s, 2))
	}
	_, err := f.Plan(f.Context(), plans, epoch())
	f.must(err)
	for _, c := range []struct {
		from, limit int
		want        []int
	}{
		{0, 100, seqs},
		{0, 3, seqs[:3]},
		{3, 2, seqs[3:5]},
		{11, 2, seqs[5:7]},
		{push.ChunksPerPage, 1, seqs[5:6]},
		{3*push.ChunksPerPage + 1, 10, seqs[8:]},
		{1_000*push.ChunksPerPage + 1, 10, nil},
	} {
		lines, err := f.Lines(f.Context(), id, c.from, c.limit)
		f.must(err)
		var got []int
		for _, l := range lines {
			got = append(got, l.Ref.Seq)
		}
		f.same("sequences of lines", got, c.want)
		stored, err := f.Plans(f.Context(), id, c.from, c.limit)
		f.must(err)
		got = nil
		for _, p := range stored {
			got = append(got, p.Ref.Seq)
		}
		f.same("sequences of plans", got, c.want)
	}
}

func lineRoundTrip(f *fixture) {
	p := f.plan(push.NewID(push.PrefixBatch), 7, push.MaxChunkRecipients)
	p.Last, p.FirstLine, p.Sources = true, 1<<40, 1<<20
	p.Hashes[0], p.Hashes[1], p.Hashes[2] = 0, 1, 1<<63
	for i := range p.Cells {
		if i%3 == 0 {
			p.Cells[i] = ledger.CellOf(push.CodeDeviceQuarantined, false)
		}
	}
	l := f.claimed(f.planned(p), "host-1/4711 🏠")
	for i, fact := range push.Codes() {
		l.Cells[i] = ledger.CellOf(fact.Code, i%2 == 0)
	}
	l.Cells[499] = ledger.CellOf(push.CodeOpen, true)
	l.Attempt, l.Turn, l.Vanished, l.Alone, l.Trial = 12, 34, 11, 1, true
	l.Reserve(250, 499)
	f.must(f.SaveLine(f.Context(), l, l.Epoch, nil))
	got, err := f.Line(f.Context(), p.Ref)
	f.must(err)
	f.same("line", got, l)
	lines, err := f.Lines(f.Context(), p.Ref.Notification, 0, 10)
	f.must(err)
	f.same("lines", lines, []ledger.Line{l})
	plans, err := f.Plans(f.Context(), p.Ref.Notification, 0, 10)
	f.must(err)
	f.same("plan, which a save leaves alone", plans, []ledger.Plan{p})

	waiting := l.HandBack(ledger.StateWaiting, 35, epoch().Add(time.Second))
	waiting.Due = epoch().Add(time.Hour)
	f.must(f.SaveLine(f.Context(), waiting, l.Epoch, nil))
	got, err = f.Line(f.Context(), p.Ref)
	f.must(err)
	f.same("handed back", got, waiting)
}

// firstStays holds that the time of the first outcome is kept whatever is written later.
func firstStays(f *fixture) {
	id := push.NewID(push.PrefixBatch)
	ref := push.ChunkRef{Notification: id}
	p := ledger.Plan{Ref: ref, Tenant: f.tenant, Sources: 3, Last: true, Hashes: make([]uint64, 3), Cells: make([]ledger.Cell, 3)}
	lines, err := f.Plan(f.Context(), []ledger.Plan{p}, epoch())
	f.must(err)
	line := lines[0]
	for i, want := range []time.Time{{}, epoch().Add(2 * time.Minute), epoch().Add(2 * time.Minute), epoch().Add(2 * time.Minute)} {
		at := epoch().Add(time.Duration(i+1) * time.Minute)
		if i > 0 {
			line.Settle(i-1, push.CodeSent, false)
		}
		next, err := line.Claim("one", 0, at)
		f.must(err)
		f.must(f.SaveLine(f.Context(), next, line.Epoch, nil))
		line, err = f.Line(f.Context(), ref)
		f.must(err)
		got, err := f.Counts(f.Context(), id)
		f.must(err)
		if !line.FirstAt.Equal(want) || !got.FirstAt.Equal(want) || !got.LastAt.Equal(at) {
			f.Errorf("write %d: first outcome at %v and %v, want %v; last write at %v", i, line.FirstAt, got.FirstAt, want, got.LastAt)
		}
	}
}

func notFound(f *fixture) {
	ghost := push.ChunkRef{Notification: push.NewID(push.PrefixNotification), Seq: 3}
	_, err := f.Notification(f.Context(), ghost.Notification)
	f.mustBe(err, push.ErrNotFound)
	_, err = f.Line(f.Context(), ghost)
	f.mustBe(err, push.ErrNotFound)
	lines, err := f.Lines(f.Context(), ghost.Notification, 0, 10)
	f.must(err)
	plans, err := f.Plans(f.Context(), ghost.Notification, 0, 10)
	f.must(err)
	attempts, err := f.Attempts(f.Context(), ghost)
	f.must(err)
	listed, cursor, err := f.Notifications(f.Context(), f.tenant, "", 10)
	f.must(err)
	if n := len(lines) + len(plans) + len(attempts) + len(listed); n != 0 || cursor != "" {
		f.Errorf("%d things and cursor %q where nothing is", n, cursor)
	}
	counts, err := f.Counts(f.Context(), ghost.Notification)
	f.must(err)
	f.same("counts of nothing", counts, ledger.Counts{})
	f.mustBe(f.SaveLine(f.Context(), ledger.Line{Ref: ghost, Tenant: f.tenant, Epoch: 1}, 0, nil), ledger.ErrFenced)
}

func fencing(f *fixture) {
	planned := f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 3))
	first := f.claimed(planned, "first")
	second := f.claimed(first, "second")

	first.Settle(0, push.CodeSent, false)
	for _, stale := range []int64{planned.Epoch, first.Epoch, second.Epoch + 1} {
		f.mustBe(f.SaveLine(f.Context(), first, stale, nil), ledger.ErrFenced)
	}
	got, err := f.Line(f.Context(), planned.Ref)
	f.must(err)
	f.same("line of the second owner", got, second)

	second.Settle(1, push.CodeSent, false)
	f.must(f.SaveLine(f.Context(), second, second.Epoch, nil))
	f.must(f.SaveLine(f.Context(), second, second.Epoch, nil)) // its owner may save as often as it likes
}

func claimConcurrently(f *fixture) {
	const rounds, owners = 4, 6
	line := f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 3))
	for round := range rounds {
		var winners atomic.Int64
		together(owners, func(i int) {
			mine, err := line.Claim(string(rune('a'+i)), 0, line.UpdatedAt.Add(ledger.FreshFor))
			if err != nil {
				f.Error(err)
				return
			}
			if err := f.SaveLine(f.Context(), mine, line.Epoch, nil); err == nil {
				winners.Add(1)
			} else {
				f.mustBeAsync(err, ledger.ErrFenced)
			}
		})
		var err error
		line, err = f.Line(f.Context(), line.Ref)
		f.must(err)
		if winners.Load() != 1 || line.Epoch != int64(round+1) {
			f.Fatalf("round %d: %d claims won and the epoch is %d", round, winners.Load(), line.Epoch)
		}
	}
}

func closedStays(f *fixture) {
	line := f.claimed(f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 2)), "owner")
	line.Settle(0, push.CodeSent, false)
	line.Settle(1, push.CodeExpired, false)
	closed := line.Close(epoch().Add(time.Minute))
	f.must(f.SaveLine(f.Context(), closed, closed.Epoch, nil))

	late := line
	late.Cells = slices.Clone(late.Cells)
	late.Cells[1] = ledger.CellOf(push.CodeSent, true)
	late.Epoch++
	evidence := []ledger.Attempt{{Cell: 1, Attempt: 2, Code: push.CodeSent}}
	for _, from := range []int64{closed.Epoch, closed.Epoch - 1, closed.Epoch + 1} {
		f.mustBe(f.SaveLine(f.Context(), late, from, evidence), ledger.ErrFenced)
	}
	got, err := f.Line(f.Context(), closed.Ref)
	f.must(err)
	f.same("closed line", got, closed)
	attempts, err := f.Attempts(f.Context(), closed.Ref)
	f.must(err)
	f.same("attempts", attempts, []ledger.Attempt(nil))
	replanned := f.planned(f.plan(closed.Ref.Notification, 0, 2))
	f.same("closed line, planned again", replanned, closed)
}

func isolation(f *fixture) {
	a := f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 2))
	b := f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 5))
	neighbour := f.planned(f.plan(a.Ref.Notification, 1, 1))
	a = f.claimed(a, "owner")
	f.must(f.SaveLine(f.Context(), a, a.Epoch, []ledger.Attempt{{Cell: 0, Attempt: 1, Code: push.CodeNetRefused}}))
	for _, untouched := range []ledger.Line{b, neighbour} {
		got, err := f.Line(f.Context(), untouched.Ref)
		f.must(err)
		f.same("another line", got, untouched)
		attempts, err := f.Attempts(f.Context(), untouched.Ref)
		f.must(err)
		if len(attempts) != 0 {
			f.Errorf("%s has %d attempts of another line", untouched.Ref, len(attempts))
		}
	}
	counts, err := f.Counts(f.Context(), b.Ref.Notification)
	f.must(err)
	if counts.Recipients != 5 || counts.Chunks != 1 {
		f.Errorf("counts see %d recipients in %d chunks, want 5 in 1", counts.Recipients, counts.Chunks)
	}
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	n := f.notification()
	_, _, createErr := f.Create(ctx, n)
	_, readErr := f.Notification(ctx, n.ID)
	_, planErr := f.Plan(ctx, []ledger.Plan{f.plan(n.ID, 0, 1)}, epoch())
	_, countErr := f.Counts(ctx, n.ID)
	for _, err := range []error{createErr, readErr, planErr, countErr} {
		f.mustBe(err, context.Canceled)
	}
}
