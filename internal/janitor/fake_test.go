package janitor_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

// books are the notifications and their lines, in memory.
type books struct {
	mu    sync.Mutex
	heads map[push.ID]push.Notification
	lines map[push.ID][]ledger.Line // ascending
	reads int                       // of lines
}

func (b *books) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heads[id], nil
}

func (b *books) Advance(_ context.Context, id push.ID, next push.Progress) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.heads[id]
	if next.Version != n.Progress.Version+1 {
		return push.ErrConflict
	}
	n.Progress = next
	b.heads[id] = n
	return nil
}

func (b *books) Unfinished(_ context.Context, before time.Time, cursor string, limit int) (out []push.Notification, next string, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.heads {
		if n.Progress.Unfinished() && n.Progress.Enqueued && n.AcceptedAt.Before(before) && string(n.ID) > cursor {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b push.Notification) int { return cmp.Compare(a.ID, b.ID) })
	if len(out) > limit {
		out, next = out[:limit], string(out[limit-1].ID)
	}
	return out, next, nil
}

func (b *books) Lines(_ context.Context, id push.ID, from, limit int) (out []ledger.Line, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	for _, l := range b.lines[id] {
		if l.Ref.Seq >= from && len(out) < limit {
			out = append(out, l)
		}
	}
	return out, nil
}

// papers are the documents.
type papers struct {
	document.Store

	mu   sync.Mutex
	docs map[string]document.Document
	away bool
}

func (p *papers) Document(_ context.Context, _, name string) (document.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return document.Document{}, errAway
	}
	d, ok := p.docs[name]
	if !ok {
		return d, push.ErrNotFound
	}
	return d, nil
}

func (p *papers) PutDocument(_ context.Context, d document.Document) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.docs[d.Name].Version != d.Version-1 {
		return push.ErrConflict
	}
	p.docs[d.Name] = d
	return nil
}

// sink keeps the tasks that it was sent.
type sink struct {
	tasks []wire.Task
	away  bool
}

func (s *sink) Send(_ context.Context, msgs []worker.Outgoing) error {
	if s.away {
		return errAway
	}
	for _, m := range msgs {
		t, err := wire.DecodeTask(m.Body)
		if err != nil {
			return err
		}
		s.tasks = append(s.tasks, t)
	}
	return nil
}

func (s *sink) take() []wire.Task {
	all := s.tasks
	s.tasks = nil
	return all
}

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
	books  *books
	docs   *papers
	tasks  *sink
	queues map[string]*gauge
	told   *told
	logs   *observer.ObservedLogs
	reg    *prometheus.Registry
	cfg    janitor.Config
}

// in runs a test in a bubble.
func in(t *testing.T, run func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		r := &rig{
			t: t, books: &books{heads: map[push.ID]push.Notification{}, lines: map[push.ID][]ledger.Line{}}, docs: &papers{docs: map[string]document.Document{}},
			tasks: &sink{}, told: &told{}, logs: logs, reg: prometheus.NewRegistry(), queues: map[string]*gauge{},
		}
		gauges := map[string]worker.Gauge{}
		for _, q := range push.Queues() {
			r.queues[q] = &gauge{}
			gauges[q] = r.queues[q]
		}
		r.cfg = janitor.Config{
			Ledger: r.books, Documents: r.docs, Tasks: r.tasks, Queues: gauges, Events: r.told, Source: "belfry", Owner: "one",
			Visibility: 30 * time.Second, Log: zap.New(core), Metrics: janitor.NewMetrics(r.reg), Now: time.Now,
		}
		r.Janitor = janitor.New(r.cfg)
		run(r)
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
	r.books.heads[n.ID] = n
	return n.ID
}

// line records a line of ten.
func (r *rig) line(id push.ID, page, chunk int, state ledger.State, tune func(l *ledger.Line)) {
	l := ledger.Line{
		Ref: push.ChunkRef{Notification: id, Seq: page*push.ChunksPerPage + chunk}, Tenant: "acme", State: state, UpdatedAt: time.Now(), Last: true,
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
	r.books.lines[id] = append(r.books.lines[id], l)
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
