package fanout_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	batID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

var t0 = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// rig is the room and the world around it.
type rig struct {
	*fanout.Fanout
	faults   *faults
	books    *books
	pages    *shelf
	devices  *registry
	tasks    *sink
	high     *sink
	bulk     *sink
	reg      *prometheus.Registry
	done     []push.ID     // completed was told
	closed   []ledger.Line // settled was told
	now      time.Time
	unknowns bool
}

func setup(tb testing.TB) *rig {
	tb.Helper()
	f := &faults{}
	r := &rig{
		faults: f, now: t0, unknowns: true,
		books:   &books{faults: f, heads: map[push.ID]push.Notification{}, plans: map[push.ChunkRef]ledger.Plan{}, lines: map[push.ChunkRef]ledger.Line{}, evidence: map[push.ChunkRef][]ledger.Attempt{}},
		pages:   &shelf{faults: f, pages: map[pageKey][]byte{}},
		devices: &registry{faults: f, devices: map[push.ID]push.Device{}},
		tasks:   &sink{faults: f}, high: &sink{faults: f}, bulk: &sink{faults: f},
	}
	r.restart(tb)
	return r
}

// restart makes the room anew, as a new process would.
func (r *rig) restart(tb testing.TB) {
	tb.Helper()
	r.reg = prometheus.NewRegistry()
	var err error
	r.Fanout, err = fanout.New(fanout.Config{
		Notifications: r.books, Lines: r.books, Pages: r.pages, Devices: r.devices,
		Tasks: r.tasks, Chunks: map[push.Lane]worker.Sink{push.LaneHigh: r.high, push.LaneBulk: r.bulk},
		Completed: func(_ context.Context, n push.Notification, _ ledger.Counts) { r.done = append(r.done, n.ID) },
		Settled: func(_ context.Context, _ *push.Notification, l *ledger.Line, _ []push.DeviceNote) {
			r.closed = append(r.closed, *l)
		},
		RecordUnknown: r.unknowns, Log: zap.NewNop(), Metrics: fanout.NewMetrics(r.reg, outcomes(r.reg)), Now: func() time.Time { return r.now },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(r.Close)
}

func outcomes(reg *prometheus.Registry) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	reg.MustRegister(c)
	return c
}

// accept stores a notification to a target.
func (r *rig) accept(to push.Target) push.Notification {
	n := push.Notification{
		ID: ntfID, Tenant: "acme", Target: to, Message: push.Message(`{"data":{"a":"b"}}`), Priority: push.PriorityNormal, AcceptedAt: t0, TraceParent: trace,
		Progress: push.Progress{Version: 1, State: push.StateAccepted, Enqueued: true, Sources: int64(to.Count()), Pages: 1},
	}
	r.books.heads[n.ID] = n
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
		r.pages.pages[pageKey{push.PageUpload, i}] = body
		n.Progress.Sources += int64(len(rs))
	}
	r.books.heads[n.ID] = n
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
	return look(r.Handle(context.Background(), worker.Message{ID: "m", Body: body, Group: "acme", Letter: &push.DeadLetter{Code: push.CodeUnexpandable}}, nil))
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
	return verdict{v.String(), time.Duration(s.FieldByName("after").Int()), string(s.FieldByName("body").Bytes()), push.Code(s.FieldByName("code").Uint())}
}

// run handles tasks until none is left but checks, which it returns.
func (r *rig) run(tb testing.TB, id push.ID) (checks []wire.Task) {
	tb.Helper()
	if v := r.plan(id); v.word != "ack" {
		tb.Fatalf("plan: %+v", v)
	}
	for len(r.tasks.sent) > 0 {
		task, err := wire.DecodeTask(r.tasks.sent[0].Body)
		if err != nil {
			tb.Fatal(err)
		}
		r.tasks.sent = r.tasks.sent[1:]
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
