package report_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// openWorld is a ledger whose open work is counted, with how often lines were summed.
type openWorld struct {
	ledger *ledgertest.Memory
	reg    *prometheus.Registry
	sums   atomic.Int64
	broken atomic.Bool
}

func countOpen(t *testing.T) *openWorld {
	t.Helper()
	w := &openWorld{ledger: &ledgertest.Memory{}, reg: prometheus.NewRegistry()}
	l := ledgertest.Around{Store: w.ledger, Do: func(op string, effect func() error) error {
		if w.broken.Load() {
			return errors.New("the ledger is away")
		}
		if op == "Counts" {
			w.sums.Add(1)
		}
		return effect()
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	room := report.NewOpenWork(l, zap.NewNop(), report.NewOpenMetrics(w.reg, time.Now), time.Now)
	go func() { defer close(ended); room.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return w
}

func (w *openWorld) put(sources int64, state push.State, change func(n *push.Notification)) push.ID {
	n := push.Notification{ID: push.NewID(push.PrefixBatch), Tenant: tenant, AcceptedAt: time.Now(), Progress: push.Progress{
		Version: 1, State: state, Sources: sources, Enqueued: true, Pages: 1,
	}}
	if change != nil {
		change(&n)
	}
	w.ledger.PutNotification(n)
	return n.ID
}

func (w *openWorld) want(t *testing.T, when string, lines ...string) {
	t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "belfry_open_")
			if len(m.GetLabel()) > 0 {
				name += " " + m.GetLabel()[0].GetValue()
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = f
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: %s is %v, want %v", when, name, got[name], v)
		}
	}
}

// Whatever waits is in the gauges, for whatever it waits, and ages while nobody looks.
func TestOpenWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := countOpen(t)
		synctest.Wait()
		w.want(t, "with nothing", "recipients sending=0", "oldest_age_seconds sending=0", "recipients outbox=0", "notifications held=0",
			"belfry_batch_progress_recipients unplanned=0", "belfry_batch_progress_recipients open=0", "belfry_batch_progress_recipients done=0")

		w.put(3, push.StateAccepted, func(n *push.Notification) { n.Progress.Enqueued = false })
		w.put(5, push.StateSending, nil)
		w.put(7, push.StatePaused, nil)
		w.put(11, push.StateHeld, nil)
		w.put(13, push.StateAccepted, func(n *push.Notification) { n.Deferred = true })
		w.put(17, push.StateCancelled, nil)
		w.put(1000, push.StateUploading, nil) // waits for its caller alone
		w.put(1000, push.StateCompleted, nil)
		w.put(19, push.StateSending, func(n *push.Notification) { n.ID = push.NewID(push.PrefixNotification) }) // no batch
		time.Sleep(20 * time.Second)
		w.want(t, "with one of each", "recipients outbox=3", "recipients sending=24", "recipients paused=7", "recipients held=11",
			"recipients deferred=13", "recipients ending=17", "notifications sending=2", "oldest_age_seconds sending=20",
			"belfry_batch_progress_recipients unplanned=3", "belfry_batch_progress_recipients open=53")

		w.broken.Store(true)
		time.Sleep(time.Minute)
		w.want(t, "while the ledger is away", "belfry_batch_progress_recipients open=53", "recipients sending=24",
			"oldest_age_seconds paused=80", "failures_total=4")
	})
}

// Of what is large the lines are summed, and not more often than it is worth.
func TestOpenWorkOfALargeBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := countOpen(t)
		const size = 100_000 // whose sum is good for 30 s
		id := w.put(size, push.StateSending, nil)
		line := ledger.Line{Ref: push.ChunkRef{Notification: id}, Sources: 500, Cells: make([]ledger.Cell, 500), Epoch: 1}
		for i := range 400 {
			line.Cells[i] = ledger.CellOf(push.CodeSent, false)
		}
		w.ledger.PutLine(line)
		time.Sleep(16 * time.Second)
		w.want(t, "with a batch", "recipients sending=99600", "belfry_batch_progress_recipients unplanned=99500",
			"belfry_batch_progress_recipients open=100", "belfry_batch_progress_recipients done=400")
		if n := w.sums.Load(); n != 1 {
			t.Errorf("its lines were summed %d times", n)
		}
		time.Sleep(2 * time.Minute)
		if n := w.sums.Load(); n < 3 || n > 5 {
			t.Errorf("within two minutes its lines were summed %d times", n)
		}
	})
}

// While there is more than one look can take, what was seen so far is shown.
func TestOpenWorkIsNeverShownAsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := countOpen(t)
		for range 1200 {
			w.put(1, push.StateSending, nil)
		}
		time.Sleep(16 * time.Second)
		w.want(t, "with many", "recipients sending=1200", "notifications sending=1200", "belfry_batch_progress_recipients open=1200")
	})
}
