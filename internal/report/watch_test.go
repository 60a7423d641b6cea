package report_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// follow collects what a watch says until it is over.
func follow(ctx context.Context, w *report.Watch, see func(report.View)) error {
	for {
		v, err := w.Latest()
		switch {
		case err != nil:
			return err
		case v != nil:
			see(*v)
			if v.Done() {
				return nil
			}
		}
		select {
		case <-w.Changed():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A thousand watchers cost one sum every half second, see every state within a
// second, never an older one, and all see the end.
func TestWatchers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(10 * time.Millisecond)
		settled := func() (n int64) {
			for _, l := range s.ledger.AllLines() {
				n += int64(len(l.Cells) - l.OpenCount())
			}
			return n
		}
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				w, err := r.Watch(t.Context(), tenant, s.id, 0)
				if err != nil {
					t.Error(err)
					return
				}
				defer w.Close()
				last := int64(-1)
				err = follow(t.Context(), w, func(v report.View) {
					if v.Revision <= last {
						t.Errorf("revision %d follows %d", v.Revision, last)
					}
					last = v.Revision
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		w, err := r.Watch(t.Context(), tenant, s.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			time.Sleep(990 * time.Millisecond)
			if v, err := w.Latest(); i > 0 && (err != nil || v == nil || v.Counts.Terminal() != settled()) {
				t.Errorf("after %d settled, a watcher sees %+v, %v", settled(), v, err)
			}
			s.settle(i/2, i%2, push.CodeSent)
		}
		wg.Wait()
		w.Close()
		if n := s.sums.Load(); n > 12 {
			t.Errorf("%d sums in four seconds", n)
		}
		before := s.sums.Load()
		time.Sleep(time.Minute)
		if s.sums.Load() != before {
			t.Error("somebody looks though nobody watches")
		}
	})
}

// A slow watcher gets the newest state, not all that it missed.
func TestSlowWatcherSkips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(0)
		w, err := r.Watch(t.Context(), tenant, s.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		_, _ = w.Latest()
		for i := range 3 {
			s.settle(i/2, i%2, push.CodeSent)
			time.Sleep(time.Second)
		}
		if v, err := w.Latest(); v == nil || err != nil || v.Counts.Terminal() != 3 {
			t.Errorf("got %+v, %v", v, err)
		}
		if v, _ := w.Latest(); v != nil {
			t.Error("the same state twice")
		}
	})
}

// A caller that has seen more than this process knows waits for that.
func TestWatchNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(20 * time.Millisecond)
		old, _ := r.Notification(t.Context(), tenant, s.id)
		s.settle(0, 0, push.CodeSent)
		for seen, want := range map[int64]bool{0: true, old.Revision: true, old.Revision + 1: true, old.Revision + 2: false} {
			w, err := r.Watch(t.Context(), tenant, s.id, seen)
			if err != nil {
				t.Fatal(err)
			}
			v, err := w.Latest()
			if (v != nil) != want || err != nil || v != nil && v.Revision < seen {
				t.Errorf("seen %d: got %+v, %v", seen, v, err)
			}
			w.Close()
		}
	})
}

func TestWatchOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(0)
		for who, id := range map[string]push.ID{"else": s.id, tenant: push.NewID(push.PrefixBatch)} {
			if _, err := r.Watch(t.Context(), who, id, 0); !errors.Is(err, push.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// A ledger that is away for less than ten seconds goes unnoticed; after that
// the watchers are sent away, and the next one starts anew.
func TestWatchThroughAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(0)
		w, err := r.Watch(t.Context(), tenant, s.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		_, _ = w.Latest()
		s.away.Store(true)
		time.Sleep(9 * time.Second)
		s.settle(0, 0, push.CodeSent)
		s.away.Store(false)
		<-w.Changed()
		if v, err := w.Latest(); err != nil || v == nil {
			t.Errorf("after a short outage: %v, %v", v, err)
		}
		s.away.Store(true)
		<-w.Changed()
		if _, err := w.Latest(); !errors.Is(err, errAway) {
			t.Errorf("after a long outage: %v", err)
		}
		s.away.Store(false)
		again, err := r.Watch(t.Context(), tenant, s.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := again.Latest(); err != nil || v == nil {
			t.Errorf("anew: %v, %v", v, err)
		}
		again.Close()
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, r := slowly(time.Millisecond)
		w, err := r.Watch(t.Context(), tenant, s.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		_, _ = w.Latest()
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-w.Changed()
		if _, err := w.Latest(); !errors.Is(err, report.ErrStopped) {
			t.Errorf("got %v", err)
		}
		if _, err := r.Watch(t.Context(), tenant, s.id, 0); !errors.Is(err, report.ErrStopped) {
			t.Errorf("another watch: %v", err)
		}
	})
}
