package worker_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("queue is away")

// fake is a queue that notes, in order, what is done to it: "send:a,b",
// "delete:1", "extend:30s:1,2".
type fake struct {
	in   chan worker.Message
	fail func(op string) error // nil: nothing fails

	mu  sync.Mutex
	ops []string
	at  []time.Duration // of the ops, since the start
	t0  time.Time

	last []byte // body of the last message sent
}

func (f *fake) note(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops, f.at = append(f.ops, op), append(f.at, time.Since(f.t0))
	if f.fail != nil {
		return f.fail(op)
	}
	return nil
}

func (f *fake) Receive(ctx context.Context, limit int, wait time.Duration) (got []worker.Message, err error) {
	if err := f.note(fmt.Sprintf("receive:%d", limit)); err != nil {
		return nil, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case m := <-f.in:
		got = append(got, m)
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(got) > 0 && len(got) < limit && len(f.in) > 0 {
		got = append(got, <-f.in)
	}
	return got, nil
}

func (f *fake) Send(_ context.Context, msgs []worker.Outgoing) error {
	op := []byte("send:")
	f.mu.Lock()
	f.last = msgs[len(msgs)-1].Body
	f.mu.Unlock()
	for _, m := range msgs {
		op = fmt.Appendf(op, "%.60s+%s;", m.Body, m.Delay)
	}
	return f.note(string(op))
}

func (f *fake) Delete(_ context.Context, msgs []worker.Message) error {
	return f.note("delete:" + ids(msgs))
}

func (f *fake) Extend(_ context.Context, msgs []worker.Message, v time.Duration) error {
	return f.note(fmt.Sprintf("extend:%s:%s", v, ids(msgs)))
}

func ids(msgs []worker.Message) string {
	var s strings.Builder
	for _, m := range msgs {
		s.WriteString(m.ID + ";")
	}
	return s.String()
}

// rig is a worker on a fake queue, in a bubble.
type rig struct {
	t     *testing.T
	q     *fake
	dead  *fake
	w     *worker.Worker
	reg   *prometheus.Registry
	logs  *observer.ObservedLogs
	cut   context.CancelFunc
	ended chan struct{}
}

const visibility = 30 * time.Second

// run starts a worker in a bubble, gives it to f, and drains it afterwards.
func run(t *testing.T, cfg worker.Config, h worker.HandlerFunc, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, q: newFake(), dead: newFake(), reg: prometheus.NewRegistry(), ended: make(chan struct{})}
		cfg.Name, cfg.Visibility, cfg.Wait = cmp.Or(cfg.Name, "jobs"), visibility, worker.MaxWait
		cfg.Concurrency = max(cfg.Concurrency, 1)
		seen, logs := observer.New(zap.InfoLevel)
		r.logs = logs
		log := zap.New(zapcore.NewTee(zaptest.NewLogger(t).Core(), seen))
		r.w = worker.New(cfg, r.q, r.dead, h, log, worker.NewMetrics(r.reg))
		ctx, cut := context.WithCancel(t.Context())
		defer cut()
		r.cut = cut
		go func() {
			defer close(r.ended)
			r.w.Run(ctx)
		}()
		f(r)
		r.w.Drain()
		<-r.ended
	})
}

// newWorker returns a worker on any queue; the caller runs it.
func newWorker(t *testing.T, q worker.Queue, h worker.HandlerFunc) *worker.Worker {
	t.Helper()
	cfg := worker.Config{Name: "jobs", Concurrency: 2, Visibility: visibility, Wait: worker.MaxWait}
	return worker.New(cfg, q, newFake(), h, zaptest.NewLogger(t), worker.NewMetrics(prometheus.NewRegistry()))
}

func newFake() *fake { return &fake{in: make(chan worker.Message, 1000), t0: time.Now()} }

// put makes messages with these ids receivable.
func (r *rig) put(names ...string) {
	for _, n := range names {
		r.q.in <- worker.Message{ID: n, Receipt: "r-" + n, Body: []byte("body of " + n), Group: "acme", Receives: 1, SentAt: time.Now()}
	}
}

// done returns what was done so far, without receives, once everything waits.
func (f *fake) done() []string {
	synctest.Wait()
	return f.doneNow()
}

func (f *fake) doneNow() (ops []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range f.ops {
		if len(op) < 8 || op[:8] != "receive:" {
			ops = append(ops, op)
		}
	}
	return ops
}

func (f *fake) setFail(fail func(op string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func pause(d time.Duration) { time.Sleep(d); synctest.Wait() }

// counted returns the sum of a metric over the series that have a label of that
// value.
func counted(t *testing.T, reg *prometheus.Registry, name, value string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == value {
					sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return sum
}
