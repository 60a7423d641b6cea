package report_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// chosen names the deliveries of an answer: chunk, row and code.
func chosen(tr *report.Trace) string {
	var out []string
	for i := range tr.Deliveries {
		d := &tr.Deliveries[i]
		out = append(out, fmt.Sprintf("%d.%d %s", d.Chunk, d.Index, d.Code))
	}
	return strings.Join(out, ", ")
}

// Of what failed, each code comes once before one comes again; what was left out on purpose
// did not fail.
func TestChosenFailed(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 2, 3, 4, 5, 6, 7, 8, 9), 3)
	for cell, code := range map[[2]int]push.Code{
		{0, 0}: push.CodeSent, {0, 1}: push.CodeFCMUnregistered, {0, 2}: push.CodeFCMUnregistered, {1, 0}: push.CodeFCMUnregistered,
		{1, 1}: push.CodeDuplicate, {1, 2}: push.CodeCancelled, {2, 0}: push.CodeAttemptsExhausted, {2, 1}: push.CodeExpired,
	} {
		w.settle(cell[0], cell[1], code)
	}
	for limit, want := range map[int]int{1: 1, 3: 3, 4: 4, 20: 5} {
		tr, err := w.reader().Chosen(t.Context(), tenant, w.id, report.ChoiceFailed, limit)
		if err != nil || len(tr.Deliveries) != want {
			t.Fatalf("%d: %s, %v", limit, chosen(&tr), err)
		}
		if codes := map[push.Code]bool{}; limit == 3 {
			for i := range tr.Deliveries {
				codes[tr.Deliveries[i].Code] = true
			}
			if len(codes) != 3 || tr.Deliveries[0].Line == 0 {
				t.Errorf("three of three kinds are %s", chosen(&tr))
			}
		}
	}
	if _, err := w.reader().Chosen(t.Context(), "else", w.id, report.ChoiceFailed, 1); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("of another tenant: %v", err)
	}
}

// The slowest are what is open, the most often tried first, and then exactly those whose
// answers came last, whatever order chunks were written in. Only as many chunks as needed
// have their evidence read.
func TestChosenSlowest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type answer struct {
			seq, cell int
			at        int64
		}
		w := open()
		chunks := rapid.IntRange(1, 12).Draw(rt, "chunks")
		var lines []int64
		for i := range 3 * chunks {
			lines = append(lines, int64(i+1))
		}
		w.load("", rows(lines...), 3)
		var all []answer
		var opened []string
		for seq := range chunks {
			latest := int64(2)
			var evidence []ledger.Attempt
			w.changeLine(seq, func(l *ledger.Line) {
				l.Attempt = rapid.IntRange(1, 3).Draw(rt, "tries")
				for cell := range 3 {
					code := rapid.SampledFrom([]push.Code{push.CodeSent, push.CodeSent, push.CodeOpen, push.CodeExpired}).Draw(rt, "code")
					switch code { //nolint:exhaustive // no others are drawn
					case push.CodeSent:
						at := rapid.Int64Range(10, 60).Draw(rt, "at")
						latest = max(latest, at)
						l.Settle(cell, push.CodeSent, false)
						evidence = append(evidence, ledger.Attempt{Cell: cell, Attempt: 1, Code: push.CodeSent, At: time.Unix(at, 0)})
						all = append(all, answer{seq, cell, at})
					case push.CodeExpired:
						l.Settle(cell, push.CodeExpired, false)
					default:
						opened = append(opened, fmt.Sprintf("%d %d.%d open", 9-l.Attempt, seq, cell))
					}
				}
				l.UpdatedAt = time.Unix(latest+rapid.Int64Range(0, 3).Draw(rt, "later"), 0)
			})
			w.ledger.PutAttempts(w.chunk(seq), append([]ledger.Attempt{ledger.Taken(0, time.Unix(5, 0), time.Unix(4, 0))}, evidence...))
		}
		limit := rapid.IntRange(1, 6).Draw(rt, "limit")
		tr, err := w.reader().Chosen(t.Context(), tenant, w.id, report.ChoiceSlowest, limit)
		if err != nil || len(tr.Notes) > 0 {
			rt.Fatal(err, tr.Notes)
		}
		slices.SortStableFunc(opened, func(a, b string) int { return cmp.Compare(a[0], b[0]) })
		slices.SortStableFunc(all, func(a, b answer) int { return cmp.Compare(b.at, a.at) })
		first := opened[:min(len(opened), limit)]
		for i, want := range first {
			d := &tr.Deliveries[i]
			if got := fmt.Sprintf("%d.%d open", d.Chunk, d.Index); got != want[2:] {
				rt.Errorf("%d. is %s, want %s", i, got, want)
			}
		}
		rest := tr.Deliveries[len(first):]
		if want := min(limit-len(first), len(all)); len(rest) != want {
			rt.Fatalf("%d of %d answers, want %d", len(rest), len(all), want)
		}
		for i := range rest {
			// Which of several with the same time does not matter.
			if got := time.Duration(all[i].at-1) * time.Second; tr.Took(&rest[i]) != got {
				rt.Errorf("%d. took %v, want %v", i, tr.Took(&rest[i]), got)
			}
		}
	})
}

// The evidence of a batch of many chunks is read for a few of them.
func TestChosenReadsLittle(t *testing.T) {
	t.Parallel()
	const chunks = 500
	w := open()
	var lines []int64
	for i := range chunks {
		lines = append(lines, int64(i+1))
	}
	w.load("", rows(lines...), 1)
	for seq := range chunks {
		at := time.Unix(int64(10+seq*7919%chunks), 0)
		w.changeLine(seq, func(l *ledger.Line) {
			l.Settle(0, push.CodeSent, false)
			l.UpdatedAt = at.Add(100 * time.Millisecond)
		})
		w.ledger.PutAttempts(w.chunk(seq), []ledger.Attempt{{Attempt: 1, Code: push.CodeSent, At: at}})
	}
	tr, err := w.reader().Chosen(t.Context(), tenant, w.id, report.ChoiceSlowest, 5)
	if err != nil || len(tr.Deliveries) != 5 || tr.Took(&tr.Deliveries[0]) != (10+chunks-1-1)*time.Second {
		t.Fatalf("%s, %v", chosen(&tr), err)
	}
	if n := w.evidence.Load(); n > 2*5+1 { // once to find it, once to tell it
		t.Errorf("evidence was read %d times", n)
	}
	// Chunks that were all written again later could each have the slowest: that is said.
	for seq := range chunks {
		w.changeLine(seq, func(l *ledger.Line) { l.UpdatedAt = time.Unix(10_000, 0) })
	}
	tr, err = w.reader().Chosen(t.Context(), tenant, w.id, report.ChoiceSlowest, 5)
	if err != nil || len(tr.Deliveries) != 5 || len(tr.Notes) != 1 || !strings.Contains(tr.Notes[0], "64") {
		t.Errorf("%s, %q, %v", chosen(&tr), tr.Notes, err)
	}
}

// A story has the times of every hop, each turn once.
func TestTimelineHops(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	w := open()
	w.load("", rows(1), 1)
	w.changeLine(0, func(l *ledger.Line) {
		l.Settle(0, push.CodeSent, false)
		l.State, l.Epoch, l.UpdatedAt = ledger.StateClosed, 4, at(100)
	})
	w.ledger.PutAttempts(w.chunk(0), []ledger.Attempt{
		ledger.Planned(at(5), at(3)), ledger.Taken(0, at(8), at(6)),
		{Attempt: 1, Code: push.CodeFCMInternal, At: at(9)},
		ledger.Taken(1, at(40), at(10)), // in which somebody else was sent to
		ledger.Taken(2, at(60), at(50)),
		{Attempt: 2, Code: push.CodeSent, At: at(61)},
	})
	tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "line:1"))
	if err != nil || len(tr.Deliveries) != 1 {
		t.Fatal(tr, err)
	}
	var got []string
	for _, s := range tr.Timeline(&tr.Deliveries[0])[1:] {
		got = append(got, fmt.Sprintf("%s@%d+%v", s.Kind, s.At.Unix(), s.Waited))
	}
	const want = "started@1+0s queued@3+0s expanded@5+2s taken@8+2s attempt@9+0s taken@60+10s attempt@61+0s outcome@61+0s event@100+0s"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
