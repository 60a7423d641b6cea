package ingest_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

// rig is the room with everything around it.
type rig struct {
	ledger  *ledgertest.Memory
	away    bool // the ledger
	queue   *workertest.Memory
	sends   atomic.Int64         // calls of the queue
	fault   func(call int) error // of a send, if set; an error comes in place of the effect
	outbox  *ingest.Outbox
	intake  *ingest.Intake
	sweeper *ingest.Sweeper
	reg     *prometheus.Registry
	log     *zap.Logger
	apps    *apps
	audit   *notebook
	quotas  *quotas
	later   time.Duration // by which the intake's clock is ahead
}

// quotas have room for so many recipients, beyond which a notification is refused or deferred.
type quotas struct {
	mu     sync.Mutex
	room   int64
	defers bool
}

// Accept implements [ingest.Quotas].
func (q *quotas) Accept(_ context.Context, c push.Charge, _ bool) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case c.Recipients <= q.room:
		q.room -= c.Recipients
		return false, nil
	case q.defers:
		return true, nil
	}
	return false, &push.OverQuotaError{
		Quota: push.QuotaRecipients, Limit: 10, Wanted: c.Recipients, After: time.Minute, Never: c.Recipients > 10,
	}
}

// Undo implements [ingest.Quotas].
func (q *quotas) Undo(_ context.Context, c push.Charge) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.room += c.Recipients
}

// apps has one app beside the default ones, with settings of its own.
type apps struct {
	away bool
	shop access.Settings
}

// Of implements [ingest.Apps].
func (a *apps) Of(_ context.Context, tenant, app string) (access.Effective, error) {
	switch {
	case a.away:
		return access.Effective{}, errAway
	case tenant == "acme" && app == "shop":
		return access.Inherit(access.Settings{}, access.Settings{}, a.shop), nil
	case app == "":
		return access.Inherit(access.Settings{}, access.Settings{}, access.Settings{}), nil
	}
	return access.Effective{}, push.ErrNotFound
}

func setup(tb testing.TB) *rig {
	tb.Helper()
	return setupOn(tb, &ledgertest.Memory{})
}

// setupOn sets the room up on a ledger that may have a past.
func setupOn(tb testing.TB, l *ledgertest.Memory) *rig {
	tb.Helper()
	r := &rig{
		ledger: l, queue: &workertest.Memory{}, reg: prometheus.NewRegistry(), log: zap.NewNop(), apps: &apps{},
		audit: &notebook{}, quotas: &quotas{room: 1 << 40},
	}
	store := ledgertest.Around{Store: l, Do: func(_ string, effect func() error) error {
		if r.away {
			return errAway
		}
		return effect()
	}}
	queue := workertest.Around{Queue: r.queue, Do: func(_ string, effect func() error) error {
		call := int(r.sends.Add(1))
		if r.fault != nil {
			if err := r.fault(call); err != nil {
				return err
			}
		}
		return effect()
	}}
	m := ingest.NewMetrics(r.reg)
	r.outbox = ingest.NewOutbox(queue, store, r.log, m)
	r.intake = ingest.NewIntake(store, r.outbox, r.apps, r.log, m, func() time.Time { return time.Now().Add(r.later) }).Within(r.quotas)
	r.sweeper = ingest.NewSweeper(store, r.outbox, r.log, time.Now)
	return r
}

// recorded returns the notifications of the tenant that tests speak of.
func (r *rig) recorded() []push.Notification {
	all, _, err := r.ledger.Notifications(context.Background(), "acme", "", 1000)
	if err != nil {
		panic(err)
	}
	return all
}

// stored returns a notification as it is recorded, the zero one if it is not.
func (r *rig) stored(id push.ID) push.Notification {
	n, _ := r.ledger.Notification(context.Background(), id)
	return n
}

// tasks decodes what the queue took.
func (r *rig) tasks() (tasks []wire.Task) {
	for _, m := range r.queue.All() {
		task, err := wire.DecodeTask(m.Body)
		if err != nil {
			panic(err)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// unmarked returns how many notifications are still in the outbox.
func (r *rig) unmarked() (n int) {
	for _, x := range r.recorded() {
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

// notebook is an audit log in memory.
type notebook struct {
	mu        sync.Mutex
	entries   []audit.Entry
	offered   int
	shut, bad error // what Ready and Record answer
}

func (n *notebook) Ready() error { return n.shut }

func (n *notebook) Record(_ context.Context, e audit.Entry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.bad != nil {
		return n.bad
	}
	n.entries = append(n.entries, e)
	return nil
}

func (n *notebook) Offer(e audit.Entry) {
	n.offered++
	_ = n.Record(context.Background(), e)
}
