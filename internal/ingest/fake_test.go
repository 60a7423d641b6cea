package ingest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

// store is the ledger's notifications, in memory.
type store struct {
	mu    sync.Mutex
	items map[push.ID]push.Notification
	away  bool
}

func (s *store) Create(_ context.Context, n push.Notification) (push.Notification, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return push.Notification{}, false, errAway
	}
	if old, ok := s.items[n.ID]; ok {
		return old, false, nil
	}
	s.items[n.ID] = n
	return n, true, nil
}

func (s *store) Advance(_ context.Context, id push.ID, next push.Progress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.items[id]
	if next.Version != n.Progress.Version+1 {
		return push.ErrConflict
	}
	n.Progress = next
	s.items[id] = n
	return nil
}

func (s *store) Unenqueued(_ context.Context, before time.Time, limit int) (found []push.Notification, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, errAway
	}
	for _, n := range s.items {
		if !n.Progress.Enqueued && n.AcceptedAt.Before(before) && n.Progress.State != push.StateUploading {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b push.Notification) int { return a.AcceptedAt.Compare(b.AcceptedAt) })
	return found[:min(limit, len(found))], nil
}

// queue keeps the tasks that it took. refuse, if set, says which of a call it
// does not take; -1 is all of them.
type queue struct {
	mu     sync.Mutex
	tasks  []wire.Task
	groups []string
	calls  int
	refuse func(call int) []int
}

func (q *queue) Send(_ context.Context, msgs []worker.Outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	failed := map[int]error{}
	if q.refuse != nil {
		for _, i := range q.refuse(q.calls) {
			if i < 0 {
				return errAway
			}
			failed[i] = errAway
		}
	}
	for i, m := range msgs {
		if task, err := wire.DecodeTask(m.Body); err == nil && failed[i] == nil {
			q.tasks, q.groups = append(q.tasks, task), append(q.groups, m.Group)
		}
	}
	if len(failed) > 0 {
		return &worker.BatchError{Failed: failed}
	}
	return nil
}

// rig is the room with everything around it.
type rig struct {
	store   *store
	queue   *queue
	outbox  *ingest.Outbox
	intake  *ingest.Intake
	sweeper *ingest.Sweeper
	reg     *prometheus.Registry
	log     *zap.Logger
}

func setup(tb testing.TB) *rig {
	tb.Helper()
	r := &rig{store: &store{items: map[push.ID]push.Notification{}}, queue: &queue{}, reg: prometheus.NewRegistry(), log: zap.NewNop()}
	m := ingest.NewMetrics(r.reg)
	r.outbox = ingest.NewOutbox(r.queue, r.store, r.log, m)
	r.intake = ingest.NewIntake(r.store, r.outbox, r.log, m, time.Now)
	r.sweeper = ingest.NewSweeper(r.store, r.outbox, r.log, time.Now)
	return r
}

// seen returns what the queue took, and in how many calls it was asked.
func (q *queue) seen() (tasks []wire.Task, calls int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.tasks), q.calls
}

// unmarked returns how many notifications are still in the outbox.
func (r *rig) unmarked() (n int) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, x := range r.store.items {
		if !x.Progress.Enqueued {
			n++
		}
	}
	return n
}

// counted returns the sum of a metric's series.
func (r *rig) counted(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
