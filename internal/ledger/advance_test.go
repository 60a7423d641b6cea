package ledger_test

import (
	"context"
	"errors"
	"testing"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// item is one stored notification whose writes lose to others a few times.
type item struct {
	n     push.Notification
	loses int
	err   error
	saved int
}

func (i *item) Notification(context.Context, push.ID) (push.Notification, error) { return i.n, i.err }

func (i *item) Advance(_ context.Context, _ push.ID, next push.Progress) error {
	if i.loses > 0 {
		i.loses--
		i.n.Progress.Version++
		i.n.Progress.Sources++
	}
	if next.Version != i.n.Progress.Version+1 {
		return push.ErrConflict
	}
	i.n.Progress = next
	i.saved++
	return nil
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	errNo := errors.New("no")
	toSending := func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		p.State = push.StateSending
		return p, nil
	}
	cases := []struct {
		name  string
		item  item
		f     func(push.Notification) (push.Progress, error)
		want  error
		saved int
	}{
		{"first try", item{}, toSending, nil, 1},
		{"lost a few times", item{loses: 5}, toSending, nil, 1},
		{"lost for ever", item{loses: 1000}, toSending, push.ErrConflict, 0},
		{"refused", item{}, func(push.Notification) (push.Progress, error) { return push.Progress{}, errNo }, errNo, 0},
		{"unchanged", item{}, func(n push.Notification) (push.Progress, error) { return n.Progress, nil }, nil, 0},
		{"no such", item{err: push.ErrNotFound}, toSending, push.ErrNotFound, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lost := int64(c.item.loses)
			n, err := ledger.Advance(t.Context(), &c.item, "bat_x", c.f)
			if !errors.Is(err, c.want) || c.item.saved != c.saved {
				t.Fatalf("got %v after %d writes, want %v after %d", err, c.item.saved, c.want, c.saved)
			}
			if err == nil && (n.Progress != c.item.n.Progress || n.Progress.Sources != lost) {
				t.Errorf("returned %+v, stored is %+v", n.Progress, c.item.n.Progress)
			}
		})
	}
}

func TestStateOf(t *testing.T) {
	t.Parallel()
	done := ledger.Counts{Recipients: 3, PagesPlanned: 2, ByCode: [128]int64{push.CodeSent: 3}}
	open := ledger.Counts{Recipients: 3, PagesPlanned: 2, ByCode: [128]int64{push.CodeOpen: 1, push.CodeSent: 2}}
	part := ledger.Counts{Recipients: 3, PagesPlanned: 1, ByCode: [128]int64{push.CodeSent: 3}}
	for _, s := range []push.State{
		push.StateUploading, push.StateAccepted, push.StateSending, push.StatePaused,
		push.StateCompleted, push.StateCancelled, push.StateDeadLettered,
	} {
		n := push.Notification{Progress: push.Progress{State: s, Pages: 2}}
		want := s
		if push.CanMove(s, push.StateCompleted) {
			want = push.StateCompleted
		}
		if got := ledger.StateOf(&n, &done); got != want {
			t.Errorf("%s with nothing open shows as %s, want %s", s, got, want)
		}
		if want = s; s == push.StateAccepted {
			want = push.StateSending
		}
		for _, c := range []*ledger.Counts{&open, &part} {
			if got := ledger.StateOf(&n, c); got != want {
				t.Errorf("%s with something open shows as %s, want %s", s, got, want)
			}
		}
		if got := ledger.StateOf(&n, &ledger.Counts{}); got != s {
			t.Errorf("%s with nothing planned shows as %s", s, got)
		}
	}
}

func TestRevive(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for _, c := range []struct {
		name string
		item item
		want push.State
		err  error
	}{
		{"dead-lettered", item{n: push.Notification{Progress: push.Progress{State: push.StateDeadLettered}}, loses: 2}, push.StateAccepted, nil},
		{"cancelled since", item{n: push.Notification{Progress: push.Progress{State: push.StateCancelled}}}, push.StateCancelled, nil},
		{"completed since", item{n: push.Notification{Progress: push.Progress{State: push.StateCompleted}}}, push.StateCompleted, nil},
		{"gone", item{err: push.ErrNotFound}, "", nil},
		{"the store is away", item{err: away}, "", away},
	} {
		if err := ledger.Revive(t.Context(), &c.item, "ntf_1"); !errors.Is(err, c.err) || c.item.n.Progress.State != c.want {
			t.Errorf("%s: %q (%v), want %q (%v)", c.name, c.item.n.Progress.State, err, c.want, c.err)
		}
	}
}

// counting counts readings.
type counting struct {
	*item

	read int
}

func (c *counting) Notification(ctx context.Context, id push.ID) (push.Notification, error) {
	c.read++
	return c.item.Notification(ctx, id)
}

// TestAdvanceFrom: a reading that is still true saves another, and one that is not does no harm.
func TestAdvanceFrom(t *testing.T) {
	t.Parallel()
	stored := push.Notification{ID: "ntf_1", Progress: push.Progress{Version: 7, State: push.StateSending}}
	old := stored
	old.Progress.Version = 6
	ended := old
	ended.Progress.State = push.StateCompleted
	errEnded := errors.New("it has ended")
	for _, c := range []struct {
		name  string
		known push.Notification
		reads int
	}{
		{"as read", stored, 0},
		{"changed since", old, 1},
		{"nothing to change then", ended, 1},
		{"refused then", func() push.Notification { n := old; n.Progress.State = push.StateCancelled; return n }(), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &counting{item: &item{n: stored}}
			n, err := ledger.AdvanceFrom(t.Context(), s, &c.known, func(n push.Notification) (push.Progress, error) {
				p := n.Progress
				if p.State == push.StateCancelled {
					return p, errEnded
				}
				p.State = push.StateCompleted
				return p, nil
			})
			want := push.Progress{Version: 8, State: push.StateCompleted}
			if err != nil || n.Progress != want || s.n.Progress != want {
				t.Errorf("%+v, %v; stored %+v", n.Progress, err, s.n.Progress)
			}
			if s.read != c.reads {
				t.Errorf("read %d times, want %d", s.read, c.reads)
			}
		})
	}
}
