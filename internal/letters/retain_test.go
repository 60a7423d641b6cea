package letters

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// What ages letters out tells those who only show them.
func TestRetentionPolicyIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		if e, err := w.room.Expiring(t.Context(), push.LetterFilter{}); err != nil || e != (Expiry{}) {
			t.Errorf("without a policy: %+v (%v)", e, err)
		}
		ages := w.other(func(c *Config) {
			c.Retention = Retention{Parked: 10 * 24 * time.Hour, Warn: 7 * 24 * time.Hour, Done: time.Hour}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ages.RetainWatch(ctx)
		}()
		time.Sleep(4 * 24 * time.Hour)
		s, err := w.room.Stats(t.Context(), push.LetterFilter{})
		if err != nil || s.Expiring != 20 || s.Within != 7*24*time.Hour || time.Until(s.FirstExpiry) > 6*24*time.Hour {
			t.Errorf("after four days: %+v (%v)", s.Expiry, err)
		}
		time.Sleep(6*24*time.Hour + 30*time.Minute)
		if n := len(w.All()); n != 20 {
			t.Errorf("%d tombstones", n)
		}
		time.Sleep(2 * time.Hour)
		if n := len(w.All()); n != 0 {
			t.Errorf("%d letters are left", n)
		}
		cancel()
		<-ended
	})
}

// While all letters are young, retention and what it says of the future read the
// groups alone.
func TestRetentionReadsNoYoungLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		store := &reads{Store: w.cfg.Letters}
		ages := w.other(func(c *Config) {
			c.Letters, c.Retention = store, Retention{Parked: 10 * 24 * time.Hour, Warn: 7 * 24 * time.Hour, Done: time.Hour}
		})
		for day, want := range []struct {
			expiring int64
			reads    bool
		}{{0, false}, {0, false}, {0, false}, {20, true}} {
			store.n = 0
			done, err := ages.Retain(t.Context())
			if err != nil || done != (Retained{Expiring: want.expiring}) || store.n > 0 != want.reads {
				t.Errorf("day %d: %+v after reading letters %d times (%v)", day, done, store.n, err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

// reads counts the calls that read letters.
type reads struct {
	Store

	n int
}

func (r *reads) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	if !f.GroupsOnly() {
		r.n++
	}
	return r.Store.LetterGroups(ctx, f)
}

func (r *reads) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error) {
	r.n++
	return r.Store.Letters(ctx, f, cursor, limit)
}
