package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// ended stores notifications that have ended, each of so many chunks.
func ended(t *testing.T, s *Store, n, chunks int) []push.ID {
	t.Helper()
	var ids []push.ID
	for range n {
		id := push.NewID(push.PrefixNotification)
		ids = append(ids, id)
		_, _, err := s.Create(t.Context(), push.Notification{
			ID: id, Tenant: "acme", AcceptedAt: benchTime(), Progress: push.Progress{State: push.StateCompleted, Enqueued: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		for seq := range chunks {
			p := ledger.Plan{
				Ref: push.ChunkRef{Notification: id, Seq: seq}, Tenant: "acme", Hashes: make([]uint64, 3), Cells: make([]ledger.Cell, 3),
			}
			lines, err := s.Plan(t.Context(), []ledger.Plan{p}, benchTime())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SaveLine(t.Context(), lines[0], 0, []ledger.Attempt{{}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ids
}

func aged(t *testing.T, s *Store) []ledger.Aged {
	t.Helper()
	all, err := s.Aged(t.Context(), 0, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func retire(t *testing.T, s *Store, ns []ledger.Aged, at time.Time) []bool {
	t.Helper()
	done, err := s.Retire(t.Context(), ns, at)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestRetiredIsAbsent(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ids := ended(t, s, 3, 1)
	all := aged(t, s)
	if len(all) != 3 || all[0].ID != ids[0] || all[0].Progress.State != push.StateCompleted || time.Since(all[0].ChangedAt) > time.Hour {
		t.Fatalf("listed %+v", all)
	}
	at := benchTime().Add(time.Hour)
	if done := retire(t, s, all, at); !cmp.Equal(done, []bool{true, true, false}) {
		t.Errorf("retired %v, want all but the newest", done)
	}
	if done := retire(t, s, all, at); !cmp.Equal(done, []bool{false, false, false}) {
		t.Errorf("retired again %v", done)
	}
	if _, err := s.Notification(t.Context(), ids[0]); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("reading what is retired: %v", err)
	}
	listed, _, err := s.Notifications(t.Context(), "acme", "", 10)
	if err != nil || len(listed) != 1 || listed[0].ID != ids[2] {
		t.Errorf("%d are listed, %v", len(listed), err)
	}
	if left := aged(t, s); len(left) != 1 {
		t.Errorf("%d are left to look at", len(left))
	}
	// Who has read it cannot change it, and its key waits until it is erased.
	if err := s.Advance(t.Context(), ids[0], push.Progress{Version: 1, State: push.StateCompleted}); !errors.Is(err, push.ErrConflict) {
		t.Errorf("changing what is retired: %v", err)
	}
	again := push.Notification{ID: ids[0], Tenant: "acme", AcceptedAt: at}
	if _, _, err := s.Create(t.Context(), again); push.OutageOf(err) != push.OutageBusy {
		t.Errorf("the id is given again before it is free: %v", err)
	}
	for before, want := range map[time.Time]int{at: 0, at.Add(time.Second): 2} {
		found, err := s.Retired(t.Context(), before, 10)
		if err != nil || len(found) != want {
			t.Errorf("%d are retired before %v (%v), want %d", len(found), before, err, want)
		}
	}
	if n, err := s.Erase(t.Context(), ids[:2], 100); n != 2 || err != nil {
		t.Errorf("erased %d, %v", n, err)
	}
	if _, created, err := s.Create(t.Context(), again); !created || err != nil {
		t.Errorf("the id of what is erased cannot be given again: %v", err)
	}
}

// TestNotRetired: what may still move, or moved since it was looked at.
func TestNotRetired(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ended(t, s, 1, 0)
	for _, p := range []push.Progress{
		{State: push.StateSending, Enqueued: true},
		{State: push.StatePaused, Enqueued: true},
		{State: push.StateAccepted},
		{State: push.StateCancelled, Enqueued: true},
		{State: push.StateDeadLettered, Enqueued: true},
	} {
		n := push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: "acme", AcceptedAt: benchTime(), Progress: p}
		if _, _, err := s.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	ended(t, s, 1, 0)
	all := aged(t, s)
	if err := s.Advance(t.Context(), all[0].ID, push.Progress{Version: 1, State: push.StateCompleted, Enqueued: true}); err != nil {
		t.Fatal(err)
	}
	for i, done := range retire(t, s, all, benchTime()) {
		if done {
			t.Errorf("%d was retired: %+v", i, all[i].Progress)
		}
	}
}

// TestErasedInPieces: each transaction removes a bounded number of rows, and the heads go last.
func TestErasedInPieces(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ids := ended(t, s, 3, 5)
	retire(t, s, aged(t, s)[:2], benchTime())
	rows := func() (n int) {
		err := s.file.Read().QueryRowContext(context.Background(), `SELECT (SELECT count(*) FROM chunk_line) + (SELECT count(*) FROM chunk_plan)
			+ (SELECT count(*) FROM chunk_attempt) + (SELECT count(*) FROM notification)`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	gone, left := 0, rows()
	for step := 0; gone < 2; step++ {
		n, err := s.Erase(t.Context(), ids[gone:2], 4)
		if err != nil || step > 20 {
			t.Fatalf("step %d: %v", step, err)
		}
		if gone += n; left-rows() > 4 {
			t.Errorf("step %d removed %d rows", step, left-rows())
		}
		left = rows()
	}
	if left != 3*5+1 {
		t.Errorf("%d rows are left, want those of the third", left)
	}
	if lines, err := s.Lines(t.Context(), ids[2], 0, 10); len(lines) != 5 || err != nil {
		t.Errorf("the third has %d lines, %v", len(lines), err)
	}
}
