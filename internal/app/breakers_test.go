package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

// What one process notes of a breaker another reads; a late note of an earlier
// time changes nothing, and one that is not renewed is forgotten.
func TestBreakersAreNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	now := at
	clock := func() time.Time { return now }
	dispatcher, replayer := &breakers{docs: b.Store(), log: zap.NewNop(), now: clock}, &breakers{docs: b.Store(), log: zap.NewNop(), now: clock}
	for i, step := range []struct {
		credential string
		note       breakerNote
		now        time.Time
		want       time.Time
	}{
		{"older", breakerNote{At: at, State: "open", Since: at}, at, at},
		{"main", breakerNote{At: at.Add(time.Second), State: "open", Since: at.Add(time.Second)}, at.Add(3 * time.Minute), time.Time{}}, // nobody renewed them
		{"main", breakerNote{At: at.Add(3 * time.Minute), State: "open", Since: at.Add(time.Second)}, at.Add(4 * time.Minute), at.Add(time.Second)},
		{"main", breakerNote{At: at.Add(5 * time.Minute), State: "closed"}, at.Add(5 * time.Minute), time.Time{}},
		{"main", breakerNote{At: at.Add(4 * time.Minute), State: "open", Since: at.Add(time.Second)}, at.Add(5 * time.Minute), time.Time{}}, // written late
	} {
		dispatcher.note(t.Context(), step.credential, step.note)
		now = step.now
		if got, err := replayer.OpenSince(t.Context(), "default"); err != nil || !got.Equal(step.want) {
			t.Errorf("step %d: open since %v (%v), want %v", i, got, err, step.want)
		}
	}
}

func TestBreakersNobodyNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	none := &breakers{docs: b.Store(), log: zap.NewNop(), now: time.Now}
	if got, err := none.OpenSince(t.Context(), "default"); err != nil || !got.IsZero() {
		t.Errorf("open since %v (%v)", got, err)
	}
	_ = b.Close()
	if _, err := none.OpenSince(t.Context(), "default"); err == nil {
		t.Error("a store that is away is not told")
	}
}

// shelf is a store of documents in memory.
type shelf struct {
	document.Store
	docs map[string]document.Document
}

func (s *shelf) Document(_ context.Context, _, name string) (document.Document, error) {
	d, ok := s.docs[name]
	if !ok {
		return d, push.ErrNotFound
	}
	return d, nil
}

func (s *shelf) PutDocument(_ context.Context, d document.Document) error {
	s.docs[d.Name] = d
	return nil
}

func (s *shelf) Documents(context.Context, string, string, int) (all []document.Document, next string, _ error) {
	for _, d := range s.docs {
		all = append(all, d)
	}
	return all, "", nil
}

// quiet is a guard whose breaker does not move by itself.
type quiet struct{}

func (quiet) State() guard.State { return guard.State{} }

// Changes are told in their order, those of the last moment too, and a breaker that
// stays open is noted as such for as long as the process lives.
func TestNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := &breakers{docs: &shelf{docs: map[string]document.Document{}}, log: zap.NewNop(), now: time.Now}
		var told []string
		n := newNews(notes, time.Now, func(_ context.Context, c guard.Change) { told = append(told, c.To.String()) })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { n.run(ctx, quiet{}); close(ended) }()
		since := func() time.Duration {
			at, err := notes.OpenSince(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if at.IsZero() {
				return 0
			}
			return time.Since(at)
		}
		move := func(from, to guard.BreakerState) {
			n.tell(guard.Change{Credential: "p", From: from, To: to, At: time.Now()})
			time.Sleep(time.Millisecond)
		}
		move(guard.BreakerClosed, guard.BreakerOpen)
		time.Sleep(time.Hour)
		if got := since(); got < time.Hour {
			t.Errorf("an hour later it is open since %v", got)
		}
		move(guard.BreakerOpen, guard.BreakerHalfOpen)
		move(guard.BreakerHalfOpen, guard.BreakerOpen)
		move(guard.BreakerOpen, guard.BreakerClosed)
		if got := since(); got != 0 {
			t.Errorf("closed, and open since %v", got)
		}
		time.Sleep(time.Hour)
		n.tell(guard.Change{Credential: "p", From: guard.BreakerClosed, To: guard.BreakerOpen, At: time.Now()})
		stop()
		<-ended
		if diff := cmp.Diff([]string{"open", "half_open", "open", "closed", "open"}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
