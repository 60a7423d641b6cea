package janitor_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// waiting asks about one line that waits for its message.
type waiting struct {
	written, due time.Time
	short        bool // the pass does not come to its end

	before, suspect time.Time // as asked
}

func (w *waiting) Reconcile(ctx context.Context, before, suspect time.Time, lost lostFunc) (int, bool, error) {
	w.before, w.suspect = before, suspect
	gone, err := lost(ctx, push.QueueReplay, w.written, w.due)
	n := 0
	if gone {
		n = 1
	}
	return n, !w.short, err
}

// TestReplays: what counts as lost is the same for a replay's message as for others.
func TestReplays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		ago   time.Duration // when it was written
		due   time.Duration // from now, 0 for at once
		depth worker.Depth
		lost  int
	}{
		{"late", late, 0, worker.Depth{}, 1},
		{"not late yet", late - time.Second, 0, worker.Depth{}, 0},
		{"due later", late, time.Minute, worker.Depth{}, 0},
		{"due a moment ago", late, -time.Minute, worker.Depth{}, 0},
		{"due long ago", 2 * late, -late, worker.Depth{}, 1},
		{"perhaps still on its queue", late, 0, worker.Depth{Visible: 1, OldestAge: late}, 0},
		{"younger messages on its queue", late, 0, worker.Depth{Visible: 1, OldestAge: time.Minute}, 1},
		{"written by a clock that is far ahead", -48 * time.Hour, 0, worker.Depth{}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, func(r *rig) {
				r.queues[push.QueueReplay].depth = c.depth
				w := &waiting{written: time.Now().Add(-c.ago)}
				if c.due != 0 {
					w.due = time.Now().Add(c.due)
				}
				r.cfg.Replays, r.cfg.Metrics = w, janitor.NewMetrics(prometheus.NewRegistry())
				r.Janitor = janitor.New(r.cfg)
				if f := r.round(); f.Replayed != c.lost || r.logs.Len() != c.lost {
					t.Errorf("%d lost, %d lines in the log, want %d", f.Replayed, r.logs.Len(), c.lost)
				}
				if want := time.Now().Add(-late); !w.before.Equal(want) || !w.suspect.IsZero() {
					t.Errorf("before %v, suspect %v", w.before, w.suspect)
				}
			})
		})
	}
}

// TestReplaysSuspected: a suspicion is not healed before all replays were looked at.
func TestReplaysSuspected(t *testing.T) {
	t.Parallel()
	in(t, func(r *rig) {
		w := &waiting{written: time.Now().Add(-time.Minute), short: true}
		r.cfg.Replays, r.cfg.Metrics = w, janitor.NewMetrics(prometheus.NewRegistry())
		r.Janitor = janitor.New(r.cfg)
		suspect := time.Now()
		if err := janitor.Suspect(r.t.Context(), r.docs, "purged", suspect); err != nil {
			t.Fatal(err)
		}
		r.sleep(time.Minute)
		for i, short := range []bool{true, true, false} {
			w.short = short
			if f := r.round(); f.Replayed != 1 || !w.suspect.Equal(suspect) || !w.before.Equal(time.Now()) {
				t.Errorf("round %d: %d lost, suspect %v", i, f.Replayed, w.suspect)
			}
		}
		if f := r.round(); f.Replayed != 0 || !w.suspect.IsZero() {
			t.Errorf("healed: %d lost, suspect %v", f.Replayed, w.suspect)
		}
	})
}
