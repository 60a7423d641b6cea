package fanout_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	batID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

var t0 = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// rig is the room and the world around it.
type rig struct {
	*fanout.Fanout
	calls    *workertest.Calls // of all ports
	ledger   *ledgertest.Memory
	pages    *batchtest.Memory
	devices  *devicetest.Memory
	asked    int // how often addresses were looked up
	tasks    *workertest.Memory
	high     *workertest.Memory
	bulk     *workertest.Memory
	reg      *prometheus.Registry
	done     []push.ID     // completed was told
	closed   []ledger.Line // settled was told
	now      time.Time
	wall     time.Duration // how far the wall clock was set from that
	unknowns bool
	erased   fanout.Erasures
	quotas   fanout.Quotas
}

func setup(tb testing.TB) *rig {
	tb.Helper()
	r := &rig{
		calls: &workertest.Calls{}, now: t0, unknowns: true,
		ledger: &ledgertest.Memory{}, pages: &batchtest.Memory{}, devices: &devicetest.Memory{},
	}
	clock := func() time.Time { return r.now }
	r.tasks, r.high, r.bulk = &workertest.Memory{Now: clock}, &workertest.Memory{Now: clock}, &workertest.Memory{Now: clock}
	r.restart(tb)
	return r
}

// restart makes the room anew, as a new process would.
func (r *rig) restart(tb testing.TB) {
	tb.Helper()
	r.reg = prometheus.NewRegistry()
	seen := ledgertest.Around{Store: r.ledger, Do: r.calls.Do}
	queue := func(q *workertest.Memory) worker.Sink { return workertest.Around{Queue: q, Do: r.calls.Do} }
	var err error
	r.Fanout, err = fanout.New(fanout.Config{
		Notifications: seen, Lines: seen, Pages: batchtest.Around{Pages: r.pages, Do: r.calls.Do},
		Devices: devicetest.Around{Store: r.devices, Do: func(op string, effect func() error) error {
			if op == "ReachByAddress" {
				r.asked++
			}
			return r.calls.Do(op, effect)
		}},
		Erasures: r.erased, Quotas: r.quotas, Tasks: queue(r.tasks),
		Chunks:    map[push.Lane]worker.Sink{push.LaneHigh: queue(r.high), push.LaneBulk: queue(r.bulk)},
		Completed: func(_ context.Context, n push.Notification, _ ledger.Counts) { r.done = append(r.done, n.ID) },
		Settled: func(_ context.Context, _ *push.Notification, l *ledger.Line, _ []push.DeviceNote) {
			r.closed = append(r.closed, *l)
		},
		RecordUnknown: r.unknowns, Log: zap.NewNop(), Metrics: fanout.NewMetrics(r.reg, outcomes(r.reg)),
		Now: func() time.Time { return r.now.Add(r.wall) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
}

// head returns a notification as it is stored, the zero one if it is not.
func (r *rig) head(id push.ID) push.Notification {
	n, _ := r.ledger.Notification(context.Background(), id)
	return n
}

// line returns a line as it is stored, the zero one if it is not.
func (r *rig) line(ref push.ChunkRef) ledger.Line {
	l, _ := r.ledger.Line(context.Background(), ref)
	return l
}

// plans returns what is stored of both notifications.
func (r *rig) plans() map[push.ChunkRef]ledger.Plan {
	all := map[push.ChunkRef]ledger.Plan{}
	for _, id := range []push.ID{ntfID, batID} {
		plans, _ := r.ledger.Plans(context.Background(), id, 0, 1<<20)
		for _, p := range plans {
			all[p.Ref] = p
		}
	}
	return all
}

func outcomes(reg *prometheus.Registry) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	reg.MustRegister(c)
	return c
}

// chunks decodes what a delivery queue took.
func chunks(q *workertest.Memory) (out []push.Chunk) {
	for _, m := range q.All() {
		c, _, err := wire.DecodeChunk(m.Body)
		if err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}

// accept stores a notification to a target.
func (r *rig) accept(to push.Target) push.Notification {
	n := push.Notification{
		ID: ntfID, Tenant: "acme", Target: to, Message: push.Message(`{"data":{"a":"b"}}`), Priority: push.PriorityNormal, AcceptedAt: t0,
		TraceParent: trace,
		Progress:    push.Progress{Version: 1, State: push.StateAccepted, Enqueued: true, Sources: int64(to.Count()), Pages: 1},
	}
	r.ledger.PutNotification(n)
	return n
}

// batch stores a started batch with these pages.
func (r *rig) batch(tb testing.TB, pages ...[]push.Recipient) push.Notification {
	tb.Helper()
	n := push.Notification{
		ID: batID, Tenant: "acme", Message: push.Message(`{"data":{"a":"b"}}`), Priority: push.PriorityBulk, AcceptedAt: t0,
		Progress: push.Progress{Version: 5, State: push.StateAccepted, Enqueued: true, Pages: len(pages)},
	}
	for i, rs := range pages {
		body, err := wire.EncodeRecipients(rs)
		if err != nil {
			tb.Fatal(err)
		}
		r.pages.SetPage(n.ID, push.PageUpload, i, body)
		n.Progress.Sources += int64(len(rs))
	}
	r.ledger.PutNotification(n)
	return n
}

// tokens returns n recipients with token addresses and consecutive lines.
func tokens(first, n int) []push.Recipient {
	rs := make([]push.Recipient, n)
	for i := range rs {
		rs[i] = push.Recipient{Address: token(fmt.Sprintf("token-%06d", first+i)), Line: int64(first + i)}
	}
	return rs
}

func token(v string) push.Address { return push.Address{Kind: push.KindToken, Value: push.Token(v)} }

// handle gives the room a task and returns its verdict.
func (r *rig) handle(t wire.Task) verdict {
	body, err := wire.EncodeTask(t)
	if err != nil {
		panic(err)
	}
	return look(r.Handle(context.Background(), worker.Message{ID: "m", Body: body, Group: "acme"}, nil))
}

// redriven gives the room a task that died, as the worker does when it is moved
// back.
func (r *rig) redriven(id push.ID) verdict {
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages})
	if err != nil {
		panic(err)
	}
	msg := worker.Message{ID: "m", Body: body, Group: "acme", Letter: &push.DeadLetter{Code: push.CodeUnexpandable}}
	return look(r.Handle(context.Background(), msg, nil))
}

func (r *rig) plan(id push.ID) verdict {
	return r.handle(wire.Task{Op: wire.OpPlan, Notification: id, Page: wire.AllPages, TraceParent: trace})
}

// verdict is what can be told of a worker.Verdict.
type verdict struct {
	word  string
	after time.Duration
	body  string
	code  push.Code
}

func look(v worker.Verdict) verdict {
	s := reflect.ValueOf(v)
	return verdict{
		v.String(), time.Duration(s.FieldByName("after").Int()), string(s.FieldByName("body").Bytes()), push.Code(s.FieldByName("code").Uint()),
	}
}

// run handles tasks until none is left but checks, which it returns.
func (r *rig) run(tb testing.TB, id push.ID) (checks []wire.Task) {
	tb.Helper()
	if v := r.plan(id); v.word != "ack" {
		tb.Fatalf("plan: %+v", v)
	}
	for r.tasks.Len() > 0 {
		task, err := wire.DecodeTask(r.tasks.Take(0).Body)
		if err != nil {
			tb.Fatal(err)
		}
		if task.Op == wire.OpCheck {
			checks = append(checks, task)
			continue
		}
		if v := r.handle(task); v.word != "ack" {
			tb.Fatalf("task %+v: %+v", task, v)
		}
	}
	return checks
}

func (r *rig) metric(tb testing.TB, name string) (sum float64) {
	tb.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		tb.Fatal(err)
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
