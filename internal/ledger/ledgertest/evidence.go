package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// attempt returns evidence whose fields all differ between calls with
// different n. Times have the millisecond precision that the ledger keeps.
func attempt(n int, detail string) ledger.Attempt {
	codes := push.Codes()
	return ledger.Attempt{
		Cell: n, Attempt: n%7 + 1, Code: codes[n%len(codes)].Code,
		At: epoch().Truncate(time.Millisecond).Add(time.Duration(n) * time.Millisecond), Latency: time.Duration(n) * 3 * time.Millisecond,
		Detail: detail,
	}
}

func attemptsInOrder(f *fixture) {
	line := f.claimed(f.planned(f.plan(push.NewID(push.PrefixNotification), 0, push.MaxChunkRecipients)), "owner")
	var want []ledger.Attempt
	n := 0
	for save := range 12 {
		var part []ledger.Attempt
		for range save * 9 {
			part = append(part, attempt(n, fmt.Sprintf("projects/p/messages/%d", n)))
			n++
		}
		f.must(f.SaveLine(f.Context(), line, line.Epoch, part))
		want = append(want, part...)
	}
	odd := []ledger.Attempt{
		{Cell: 3, Attempt: 1, Code: push.CodeNetTimeout},
		attempt(1, "Ünïcödé 🐝 \"quoted\"\n\\"),
		attempt(499, strings.Repeat("x", 300)),
		attempt(2, ""),
		{Cell: 4, Code: push.CodePayloadInvalid, At: epoch().Truncate(time.Millisecond), Detail: "decided: no attempt"},
		{Cell: 0, Attempt: 3, Code: push.CodeSent, At: epoch().Add(-time.Hour).Truncate(time.Millisecond), Latency: time.Hour},
	}
	f.must(f.SaveLine(f.Context(), line, line.Epoch, odd))
	want = append(want, odd...)
	got, err := f.Attempts(f.Context(), line.Ref)
	f.must(err)
	f.same("attempts", got, want)
}

func attemptsAtomic(f *fixture) {
	first := f.claimed(f.planned(f.plan(push.NewID(push.PrefixNotification), 0, 3)), "first")
	kept := []ledger.Attempt{attempt(0, "kept")}
	f.must(f.SaveLine(f.Context(), first, first.Epoch, kept))
	second := f.claimed(first, "second")

	lost := first
	lost.Cells = slices.Clone(lost.Cells)
	lost.Settle(0, push.CodeSent, false)
	f.mustBe(f.SaveLine(f.Context(), lost, first.Epoch, []ledger.Attempt{attempt(1, "lost")}), ledger.ErrFenced)
	got, err := f.Attempts(f.Context(), first.Ref)
	f.must(err)
	f.same("attempts after a fenced save", got, kept)

	more := []ledger.Attempt{attempt(2, "more")}
	f.must(f.SaveLine(f.Context(), second, second.Epoch, more))
	got, err = f.Attempts(f.Context(), first.Ref)
	f.must(err)
	f.same("attempts after the new owner's save", got, append(kept, more...))
}

// sum is what Counts must be, computed from the lines.
func (f *fixture) sum(id push.ID) ledger.Counts {
	f.Helper()
	var total ledger.Counts
	lines, err := f.Lines(f.Context(), id, 0, 1000)
	f.must(err)
	for i := range lines {
		t := lines[i].Tally()
		total.Add(&t)
	}
	return total
}

func countsAddUp(f *fixture) {
	id := push.NewID(push.PrefixBatch)
	var plans []ledger.Plan
	for i := range 20 {
		p := f.plan(id, i, 50)
		p.Cells[0] = ledger.CellOf(push.CodeDuplicate, false)
		p.Last = i%10 == 9
		plans = append(plans, p)
	}
	lines, err := f.Plan(f.Context(), plans, epoch())
	f.must(err)
	for i, line := range lines[:10] {
		line = f.claimed(line, "owner")
		line.Settle(1, push.CodeFCMUnregistered, false)
		line.MarkAmbiguous(2)
		if i < 4 {
			for c := range line.Cells {
				line.Settle(c, push.CodeSent, c == 3)
			}
			line = line.Close(epoch().Add(time.Duration(i) * time.Minute))
		}
		f.must(f.SaveLine(f.Context(), line, line.Epoch, nil))
	}
	got, err := f.Counts(f.Context(), id)
	f.must(err)
	f.same("counts", got, f.sum(id))
	want := map[push.Class]int64{
		push.ClassSuppressed: 20, push.ClassPermanent: 10, push.ClassSent: 4 * 48, push.ClassOpen: 10*49 + 6*48,
	}
	f.same("classes", got.ByClass(), want)
	if got.Recipients != 1000 || got.Sources != 1000 || got.Chunks != 20 || got.ChunksClosed != 4 || got.PagesPlanned != 2 ||
		got.PossibleDuplicates != 14 {
		f.Errorf("counts are %+v", got)
	}
	if !got.FirstAt.Equal(epoch()) || !got.LastAt.Equal(epoch().Add(3*time.Minute)) {
		f.Errorf("first and last write are %v and %v", got.FirstAt, got.LastAt)
	}
	f.must(got.Balance(1000))
}

// randomWalk lets owners claim, settle, hand back and vanish in any order, and
// holds the stored counts to the books after every step. The seed is fixed: the
// walk is long enough to see every kind of step.
func randomWalk(f *fixture) {
	const chunks, size, steps = 4, 6, 120
	r := rand.New(rand.NewPCG(1, 2))
	id := push.NewID(push.PrefixNotification)
	var plans []ledger.Plan
	for i := range chunks {
		p := f.plan(id, i, size)
		p.Last = i == chunks-1
		plans = append(plans, p)
	}
	_, err := f.Plan(f.Context(), plans, epoch())
	f.must(err)
	now := epoch()
	var before ledger.Counts
	for step := range steps {
		now = now.Add(ledger.FreshFor)
		ref := push.ChunkRef{Notification: id, Seq: r.IntN(chunks)}
		line, err := f.Line(f.Context(), ref)
		f.must(err)
		mine, err := line.Claim(fmt.Sprintf("owner-%d", step), line.Turn, now)
		if err != nil {
			f.mustBe(err, ledger.ErrClosed)
			continue
		}
		mine.Reserved = r.IntN(size + 1)
		f.must(f.SaveLine(f.Context(), mine, line.Epoch, nil))
		if cell := r.IntN(size); r.IntN(3) > 0 {
			mine.Settle(cell, push.CodeSent, false)
		}
		switch {
		case mine.OpenCount() == 0:
			mine = mine.Close(now)
		case r.IntN(2) == 0:
			mine = mine.HandBack(ledger.StateWaiting, mine.Turn+1, now)
		}
		f.must(f.SaveLine(f.Context(), mine, mine.Epoch, []ledger.Attempt{attempt(step, "")}))

		counts, err := f.Counts(f.Context(), id)
		f.must(err)
		f.must(counts.Balance(chunks * size))
		if counts.Recipients != chunks*size {
			f.Fatalf("step %d: %d recipients, want %d", step, counts.Recipients, chunks*size)
		}
		f.same("counts", counts, f.sum(id))
		if changed := counts.ByCode != before.ByCode ||
			counts.PossibleDuplicates != before.PossibleDuplicates; changed && counts.Revision() <= before.Revision() ||
			counts.Revision() < before.Revision() {
			f.Fatalf("step %d: revision %d follows %d", step, counts.Revision(), before.Revision())
		}
		before = counts
	}
}
