package report_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

var errAway = errors.New("disk is gone")

// slow is a world whose sums take time and are counted.
type slow struct {
	*world

	takes time.Duration
	sums  atomic.Int64
	away  atomic.Bool // sums fail
}

func (s *slow) do(op string, effect func() error) error {
	if op != "Counts" {
		return effect()
	}
	s.sums.Add(1)
	time.Sleep(s.takes)
	if s.away.Load() {
		return errAway
	}
	return effect()
}

func slowly(takes time.Duration) (*slow, *report.Reader) {
	s := &slow{world: open(), takes: takes}
	s.load("", rows(1, 2, 3, 4), 2)
	return s, s.readerOn(ledgertest.Around{Store: s.ledger, Do: s.do})
}

// A thousand pollers of a batch that takes 13 ms to sum cost one sum for each
// 273 ms that pass, and nobody sees a sum that is older than that.
func TestSumsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(13 * time.Millisecond)
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				time.Sleep(time.Duration(i%100) * time.Millisecond)
				for range 20 {
					if v, err := r.Notification(t.Context(), tenant, s.id); err != nil || v.Accepted != 4 {
						t.Errorf("got %+v, %v", v, err)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		if n := s.sums.Load(); n < 5 || n > 10 {
			t.Errorf("%d sums in two seconds, want about 8", n)
		}
	})
}

func TestSumsAreFresh(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes, age time.Duration
		renewed    bool
	}{
		"shared":         {20 * time.Millisecond, 399 * time.Millisecond, false},
		"over":           {20 * time.Millisecond, 400 * time.Millisecond, true},
		"shared at most": {time.Second, 499 * time.Millisecond, false},
		"over at most":   {time.Second, 500 * time.Millisecond, true},
		"costs nothing":  {0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, r := slowly(c.takes)
				_, _ = r.Notification(t.Context(), tenant, s.id)
				s.settle(0, 0, push.CodeSent)
				time.Sleep(c.age)
				v, err := r.Notification(t.Context(), tenant, s.id)
				if renewed := v.Counts.ByCode[push.CodeSent] == 1; err != nil || renewed != c.renewed {
					t.Errorf("renewed: %v, %v", renewed, err)
				}
			})
		})
	}
}

// Who changed the notification sees counts from after the change.
func TestSumsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(50 * time.Millisecond)
		before, _ := r.Notification(t.Context(), tenant, s.id)
		s.settle(0, 0, push.CodeCancelled)
		s.advance(func(p *push.Progress) {
			p.Version++
			p.State = push.StateCancelled
		})
		v, err := r.Notification(t.Context(), tenant, s.id)
		if err != nil || v.Counts.ByCode[push.CodeCancelled] != 1 || v.Revision <= before.Revision {
			t.Errorf("got %+v after revision %d, %v", v, before.Revision, err)
		}
	})
}

// A caller that hangs up takes nothing from those who wait with it.
func TestSumsOutliveTheirCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(5 * time.Millisecond)
			if _, err := r.Notification(t.Context(), tenant, s.id); err != nil {
				t.Errorf("the other caller got %v", err)
			}
		}()
		if _, err := r.Notification(ctx, tenant, s.id); err == nil {
			t.Error("the caller got an answer after it hung up")
		}
		time.Sleep(time.Second)
		if n := s.sums.Load(); n != 1 {
			t.Errorf("%d sums, want one", n)
		}
	})
}
