package janitor_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/wire/wiretest"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

// gauge is a queue's depth.
type gauge struct{ depth worker.Depth }

func (g *gauge) Depth(context.Context) (worker.Depth, error) { return g.depth, nil }

// told keeps events.
type told struct{ events []wire.Event }

func (o *told) Publish(_ context.Context, es []wire.Event) error {
	o.events = append(o.events, es...)
	return nil
}

// rig is a janitor and the world around it, in a bubble of time.
type rig struct {
	*janitor.Janitor
	t      *testing.T
	ledger *ledgertest.Memory
	reads  atomic.Int64 // of the ledger's lines
	docs   document.Store
	tasks  *workertest.Memory
	queues map[string]*gauge
	told   *told
	logs   *observer.ObservedLogs
	reg    *prometheus.Registry
	cfg    janitor.Config

	docsAway, tasksAway atomic.Bool
}

// unless makes a port's calls fail, without an effect, while away says so.
func unless(away *atomic.Bool) func(op string, effect func() error) error {
	return func(_ string, effect func() error) error {
		if away.Load() {
			return errAway
		}
		return effect()
	}
}

// in runs a test in a bubble.
func in(t *testing.T, run func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		r := &rig{
			t: t, ledger: &ledgertest.Memory{}, tasks: &workertest.Memory{},
			told: &told{}, logs: logs, reg: prometheus.NewRegistry(), queues: map[string]*gauge{},
		}
		r.docs = documenttest.Around{Store: &documenttest.Memory{}, Do: unless(&r.docsAway)}
		store := ledgertest.Around{Store: r.ledger, Do: func(op string, effect func() error) error {
			if op == "Lines" {
				r.reads.Add(1)
			}
			return effect()
		}}
		gauges := map[string]worker.Gauge{}
		for _, q := range push.Queues() {
			r.queues[q] = &gauge{}
			gauges[q] = r.queues[q]
		}
		r.cfg = janitor.Config{
			Ledger: store, Documents: r.docs, Tasks: workertest.Around{Queue: r.tasks, Do: unless(&r.tasksAway)}, Queues: gauges,
			Events: wiretest.Checked(t, r.told), Source: "belfry", Owner: "one",
			Visibility: 30 * time.Second, Log: zap.New(core), Metrics: janitor.NewMetrics(r.reg), Now: time.Now,
		}
		r.Janitor = janitor.New(r.cfg)
		run(r)
		r.taken() // decodes what the test did not look at
	})
}

// late is after how long a message is lost for sure.
const late = 20*time.Minute + 30*time.Second

func (r *rig) round() janitor.Found {
	r.t.Helper()
	f, err := r.Round(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// taken removes the tasks from their queue and returns them.
func (r *rig) taken() (tasks []wire.Task) {
	r.t.Helper()
	for _, m := range r.tasks.TakeAll() {
		t, err := wire.DecodeTask(m.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// progress returns how far a notification is.
func (r *rig) progress(id push.ID) push.Progress {
	r.t.Helper()
	n, err := r.ledger.Notification(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return n.Progress
}

func (r *rig) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// batch records a batch under way of so many pages.
func (r *rig) batch(pages int, tune func(n *push.Notification)) push.ID {
	n := push.Notification{
		ID: push.NewID(push.PrefixBatch), Tenant: "acme", Priority: push.PriorityBulk, AcceptedAt: time.Now(), TTL: 10 * time.Hour,
		Progress: push.Progress{Version: 1, State: push.StateAccepted, Enqueued: true, Pages: pages, StartedAt: time.Now()},
	}
	if tune != nil {
		tune(&n)
	}
	r.ledger.PutNotification(n)
	return n.ID
}

// line records a line of ten.
func (r *rig) line(id push.ID, page, chunk int, state ledger.State, tune func(l *ledger.Line)) {
	l := ledger.Line{
		Ref: push.ChunkRef{Notification: id, Seq: page*push.ChunksPerPage + chunk}, Tenant: "acme", State: state, UpdatedAt: time.Now(),
		Last:  true,
		Cells: make([]ledger.Cell, 10), Epoch: 1,
	}
	if state == ledger.StateClosed {
		for i := range l.Cells {
			l.Cells[i] = ledger.CellOf(push.CodeSent, false)
		}
	}
	if tune != nil {
		tune(&l)
	}
	r.ledger.PutLine(l)
}

// write sets when the line of a page's first chunk was last written.
func (r *rig) write(id push.ID, page int, at time.Time) {
	r.t.Helper()
	l, err := r.ledger.Line(r.t.Context(), push.ChunkRef{Notification: id, Seq: page * push.ChunksPerPage})
	if err != nil {
		r.t.Fatal(err)
	}
	l.UpdatedAt = at
	r.ledger.PutLine(l)
}

func (r *rig) metric(name, label string) (sum float64) {
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || len(m.GetLabel()) > 0 && m.GetLabel()[0].GetValue() == label) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
