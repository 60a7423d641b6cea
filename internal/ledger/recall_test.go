package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

func TestRecall(t *testing.T) {
	t.Parallel()
	later := start().Add(time.Hour)
	t.Run("a line whose message is lost", func(t *testing.T) {
		t.Parallel()
		l := planned(CellOf(push.CodeSent, false), 0, 0)
		l.Attempt, l.Turn, l.State, l.Due = 3, 2, StateWaiting, later.Add(time.Minute)
		got, err := l.Recall(later)
		if err != nil || got.State != StateWaiting || got.Turn != 3 || got.Epoch != l.Epoch+1 || got.Attempt != 3 || got.Owner != "" ||
			!got.UpdatedAt.Equal(later) || !got.Due.Equal(l.Due) || got.OpenCount() != 2 {
			t.Errorf("recalled as %+v, %v", got, err)
		}
		if got, err = l.Recall(l.Due); err != nil || !got.Due.IsZero() {
			t.Errorf("what is due by now is due at %v, %v", got.Due, err)
		}
	})
	t.Run("a line whose owner vanished", func(t *testing.T) {
		t.Parallel()
		l := planned(0, 0, 0)
		l.State, l.Owner, l.Vanished = StateClaimed, "dead", 2
		l.Reserve(1, 2)
		got, err := l.Recall(later)
		if err != nil || got.Cells[0].PossibleDuplicate() || !got.Cells[1].PossibleDuplicate() || got.Cells[2].PossibleDuplicate() {
			t.Errorf("flags are %x, %v", got.Cells, err)
		}
		if got.Vanished != 2 || got.ReservedFrom != 1 || got.Reserved != 2 {
			t.Errorf("who is suspected is forgotten: %+v", got)
		}
		if l.Cells[1].PossibleDuplicate() {
			t.Error("the line that was read changed")
		}
	})
	t.Run("a line whose owner lives", func(t *testing.T) {
		t.Parallel()
		l := planned(0)
		l.State, l.Owner, l.UpdatedAt = StateClaimed, "alive", later.Add(-time.Second)
		if _, err := l.Recall(later); !errors.Is(err, ErrBusy) {
			t.Errorf("error = %v", err)
		}
		if _, err := l.Conclude(push.CodeExpired, false, later); !errors.Is(err, ErrBusy) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("a closed line", func(t *testing.T) {
		t.Parallel()
		l := planned(CellOf(push.CodeSent, false))
		if _, err := l.Recall(later); !errors.Is(err, ErrClosed) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestConclude(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		atMostOnce bool
		want       []Cell
	}{
		{"at least once", false, []Cell{CellOf(push.CodeSent, false), CellOf(push.CodeExpired, true), CellOf(push.CodeExpired, false)}},
		{"at most once", true, []Cell{CellOf(push.CodeSent, false), CellOf(push.CodeUnknown, true), CellOf(push.CodeExpired, false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := planned(CellOf(push.CodeSent, false), 0, 0)
			l.State, l.Owner = StateClaimed, "dead"
			l.Reserve(0, 2)
			got, err := l.Conclude(push.CodeExpired, c.atMostOnce, start().Add(time.Hour))
			if err != nil || got.State != StateClosed || got.Epoch != l.Epoch+1 || !slices.Equal(got.Cells, c.want) {
				t.Errorf("concluded as %+v, %v", got, err)
			}
		})
	}
}
