package dynamo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func same(tb rapid.TB, what string, got, want any) {
	tb.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(tb rapid.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newNotification(tokens int) push.Notification {
	n := push.Notification{
		ID: push.NewID(push.PrefixNotification), Tenant: "tenant", Message: push.Message(`{"notification":{"title":"Hi"}}`),
		Priority: push.PriorityNormal, Guarantee: push.AtLeastOnce, AcceptedAt: at(),
		Progress: push.Progress{State: push.StateAccepted, Sources: int64(tokens), Pages: 1},
	}
	for i := range tokens {
		n.Target.Tokens = append(n.Target.Tokens, token(i))
	}
	return n
}

// token looks like a registration token: 163 characters that don't compress much.
func token(i int) push.Token {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	var b strings.Builder
	b.WriteString("cGl0Y2hlcjp0b2tlbg:APA91b")
	x := uint64(i)*2654435761 + 88172645463325252
	for b.Len() < 163 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteByte(alphabet[x%64])
	}
	return push.Token(b.String())
}

func newPlan(id push.ID, seq, size int) ledger.Plan {
	p := ledger.Plan{
		Ref: push.ChunkRef{Notification: id, Seq: seq}, Tenant: "tenant", FirstLine: int64(seq*size + 1), Sources: size,
		Hashes: make([]uint64, size), Cells: make([]ledger.Cell, size),
	}
	for i := range p.Hashes {
		p.Hashes[i] = push.Address{Kind: push.KindToken, Value: token(seq*size + i)}.Hash()
	}
	return p
}

func TestCrashInCreate(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	var n push.Notification
	x.crash(t, 2, func(dying *Store, _ int) error {
		n = newNotification(100) // its body is an item of its own
		_, _, err := dying.Create(t.Context(), n)
		return err
	}, func(int) {
		_, err := s.Notification(t.Context(), n.ID)
		there := err == nil
		if !there && !errors.Is(err, push.ErrNotFound) {
			t.Fatal(err)
		}
		stored, created, err := s.Create(t.Context(), n) // the caller tries again
		must(t, err)
		if created == there {
			t.Errorf("it was there: %v; the second create stored it: %v", there, created)
		}
		same(t, "stored", stored, n)
	})
}

func TestCrashInPlan(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	var id push.ID
	x.crash(t, 6, func(dying *Store, _ int) error {
		id = push.NewID(push.PrefixBatch)
		plans := []ledger.Plan{newPlan(id, 0, 2), newPlan(id, 1, 2), newPlan(id, 2, 2)}
		plans[2].Last = true
		_, err := dying.Plan(t.Context(), plans, at())
		return err
	}, func(writes int) {
		counts, err := s.Counts(t.Context(), id)
		must(t, err)
		if counts.PagesPlanned == 1 && counts.Chunks != 3 {
			t.Errorf("after %d writes the page counts as planned with %d of 3 chunks", writes, counts.Chunks)
		}
		// Another planner comes, with another cut of the same page. What stands
		// is kept, and every line fits its plan.
		plans := []ledger.Plan{newPlan(id, 0, 5), newPlan(id, 1, 5), newPlan(id, 2, 5)}
		plans[2].Last = true
		lines, err := s.Plan(t.Context(), plans, at().Add(time.Hour))
		must(t, err)
		stored, err := s.Plans(t.Context(), id, 0, 10)
		must(t, err)
		if len(lines) != 3 || len(stored) != 3 {
			t.Fatalf("%d lines and %d plans, want 3 of each", len(lines), len(stored))
		}
		for i := range stored {
			if len(stored[i].Hashes) != len(lines[i].Cells) || stored[i].Last != lines[i].Last {
				t.Errorf("after %d writes line %d has %d cells, its plan %d", writes, i, len(lines[i].Cells), len(stored[i].Hashes))
			}
		}
	})
}

func TestCrashInSaveLine(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	ref := push.ChunkRef{Notification: push.NewID(push.PrefixNotification)}
	lines, err := s.Plan(t.Context(), []ledger.Plan{newPlan(ref.Notification, 0, 3)}, at())
	must(t, err)
	line, err := lines[0].Claim("owner", 0, at())
	must(t, err)
	must(t, s.SaveLine(t.Context(), line, 0, nil))
	before := line
	line.Cells = append([]ledger.Cell(nil), line.Cells...)
	line.Settle(1, push.CodeSent, false)
	evidence := []ledger.Attempt{{Cell: 1, Attempt: 1, Code: push.CodeSent, At: at().Truncate(time.Millisecond), Detail: "m/1"}}
	x.crash(t, 2, func(dying *Store, _ int) error {
		return dying.SaveLine(t.Context(), line, line.Epoch, evidence)
	}, func(writes int) {
		got, err := s.Line(t.Context(), ref)
		must(t, err)
		attempts, err := s.Attempts(t.Context(), ref)
		must(t, err)
		if writes < 2 {
			same(t, "line", got, before)
			same(t, "attempts", attempts, []ledger.Attempt(nil))
			return
		}
		same(t, "line", got, line)
		// The same owner's earlier saves counted after all: they were its own.
		if n := len(attempts); n == 0 || attempts[n-1] != evidence[0] {
			t.Errorf("attempts are %v", attempts)
		}
	})
}

func TestFencedAttemptsNeverCount(t *testing.T) {
	t.Parallel()
	s := newTables(t).store()
	lines, err := s.Plan(t.Context(), []ledger.Plan{newPlan(push.NewID(push.PrefixNotification), 0, 2)}, at())
	must(t, err)
	first, err := lines[0].Claim("first", 0, at())
	must(t, err)
	must(t, s.SaveLine(t.Context(), first, 0, nil))
	second, err := first.Claim("second", 0, at().Add(time.Minute))
	must(t, err)
	must(t, s.SaveLine(t.Context(), second, first.Epoch, nil))
	for i := range 3 {
		lost := []ledger.Attempt{{Cell: 0, Attempt: 1, Code: push.CodeSent, Detail: fmt.Sprint("lost ", i)}}
		if err := s.SaveLine(t.Context(), first, first.Epoch, lost); !errors.Is(err, ledger.ErrFenced) {
			t.Fatalf("error = %v, want ErrFenced", err)
		}
		kept := []ledger.Attempt{{Cell: 1, Attempt: i + 1, Code: push.CodeNetReset}}
		must(t, s.SaveLine(t.Context(), second, second.Epoch, kept))
	}
	attempts, err := s.Attempts(t.Context(), first.Ref)
	must(t, err)
	for _, a := range attempts {
		if a.Cell != 1 {
			t.Errorf("an attempt of a fenced save counts: %+v", a)
		}
	}
	if len(attempts) != 3 {
		t.Errorf("%d attempts, want 3", len(attempts))
	}
}
