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

// TestPurgeDone: who applies no policy removes what is done with by the one that was applied
// last, and by its own only until there was one.
func TestPurgeDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		purge := func(otherwise time.Duration, want int) {
			t.Helper()
			if n, err := w.room.PurgeDone(t.Context(), otherwise, 15); err != nil || n != want {
				t.Errorf("purged %d (%v), want %d", n, err, want)
			}
		}
		w.crowd(20)
		time.Sleep(time.Second)
		_, err := w.room.Discard(t.Context(), DiscardRequest{All: true, Reason: "test"})
		w.Must(err)
		time.Sleep(48 * time.Hour)
		purge(0, 0)
		purge(72*time.Hour, 0)
		purge(24*time.Hour, 15)
		_, err = w.other(func(c *Config) { c.Retention = Retention{Parked: time.Hour, Done: 96 * time.Hour} }).Retain(t.Context())
		w.Must(err)
		purge(24*time.Hour, 0)
		time.Sleep(49 * time.Hour)
		purge(0, 5)
	})
}
