package deliver_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// exchange has a channel for each tenant.
type exchange map[string]deliver.Channel

// Channel implements [deliver.Channels].
func (e exchange) Channel(_ context.Context, tenant, _ string) (deliver.Channel, error) {
	return e[tenant], nil
}

const (
	otherNtf    = "ntf_01890a5d-ac96-774b-bcce-b302099a8058"
	otherTenant = "globex"
)

// neighbours are two tenants with a credential each on one lane, with a real worker: acme,
// whose project does what the test says, and globex, whose project is well.
type neighbours struct {
	*rig

	queue *workertest.Memory
	well  *fcm
	seq   int
	put   map[string]time.Time // when a recipient of globex was put on the queue
}

func newFCM() *fcm {
	return &fcm{
		script: map[string][]answer{}, asked: map[string]int{}, accepted: map[string]int{}, at: map[string][]time.Time{},
		bodies: map[string]string{}, latency: 50 * time.Millisecond,
	}
}

// minute runs both for a minute: acme with a flood of chunks, unless there is
// none, and globex with a chunk of ten every half second. It returns how long globex's
// recipients took from the queue to FCM's answer, in order.
func (n *neighbours) minute(flood int, kind string) []time.Duration {
	w := worker.New(worker.Config{Name: "bulk", Concurrency: 26, Visibility: 30 * time.Second, Wait: 20 * time.Second}, n.queue,
		&workertest.Memory{}, n.Deliver, zap.NewNop(), worker.NewMetrics(prometheus.NewRegistry()))
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(n.tb.Context()) })
	n.other()
	time.Sleep(time.Second)
	for range flood {
		n.seq++
		c := n.another(n.seq, 50)
		for i := range c.Recipients {
			c.Recipients[i].Address.Value = push.Token(kind + "-" + c.Recipients[i].Address.Value.Reveal())
		}
		n.queue.Put(worker.Outgoing{Body: n.encode(c), Group: c.Tenant})
	}
	for range 120 {
		time.Sleep(497 * time.Millisecond)
		n.other()
	}
	time.Sleep(5 * time.Second)
	w.Drain()
	wg.Wait()
	var took []time.Duration
	for value, at := range n.put {
		lag := time.Hour
		if n.well.accepted[value] > 0 {
			lag = n.well.at[value][0].Add(n.well.latency).Sub(at)
		}
		took = append(took, lag)
	}
	slices.Sort(took)
	return took
}

// other puts a chunk of globex on the queue.
func (n *neighbours) other() {
	n.seq++
	c := n.another(n.seq, 10)
	c.Ref.Notification, c.Tenant = otherNtf, otherTenant
	n.ledger.PutLine(ledger.NewLine(ledger.Plan{Ref: c.Ref, Tenant: c.Tenant, Sources: 10, Cells: make([]ledger.Cell, 10)}, time.Now()))
	for i := range c.Recipients {
		n.put[c.Recipients[i].Address.Value.Reveal()] = time.Now()
	}
	n.queue.Put(worker.Outgoing{Body: n.encode(c), Group: c.Tenant})
}

// A project that refuses, fails or hangs on everything costs another tenant no more than
// the worker's look at the queue.
func TestNeighboursDeadProject(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, flood int, kind string, code push.Code) (p95 time.Duration, requests int) {
		t.Helper()
		n := &neighbours{queue: &workertest.Memory{}, well: newFCM(), put: map[string]time.Time{}}
		in(t, 1, func(r *rig) {
			r.fcm.latency, r.fcm.hangs = 50*time.Millisecond, 10*time.Second
			r.fcm.outage = func(string) push.Code { return code }
			r.cfg.Window, r.cfg.Brake = 20, 20
			r.cfg.Chunks = map[push.Lane]worker.Sink{push.LaneBulk: n.queue}
			r.cfg.Channels = exchange{
				"acme":      {Sender: r.fcm, Guard: production(t)},
				otherTenant: {Sender: n.well, Guard: production(t)},
			}
			r.ledger.PutNotification(push.Notification{
				ID: otherNtf, Tenant: otherTenant, Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityNormal,
				Guarantee: push.AtLeastOnce, AcceptedAt: time.Now(),
				Progress: push.Progress{Version: 1, State: push.StateAccepted, Sources: 10_000, Pages: 2},
			})
			r.change(func(n *push.Notification) { n.Progress.Sources, n.Progress.Pages = 100_000, 2 })
		}, func(r *rig) {
			n.rig = r
			lags := n.minute(flood, kind)
			p95, requests = lags[(len(lags)-1)*95/100], r.fcm.sends()
		})
		return p95, requests
	}
	idle, _ := run(t, 0, "", push.CodeOpen)
	for _, tc := range []struct {
		name, kind string
		code       push.Code
	}{
		{"well, but a flood", "well", push.CodeOpen},
		{"401", "refused", push.CodeFCMUnauthorized},
		{"403", "refused", push.CodeFCMForbidden},
		{"503", "gone", push.CodeFCMUnavailable},
		{"429", "over", push.CodeFCMQuotaExceeded},
		{"hangs", "hangs", push.CodeNetTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p95, requests := run(t, 300, tc.kind, tc.code)
			t.Logf("the other tenant's p95 from queue to FCM's answer: %v, idle %v; %d requests to the dead project", p95, idle, requests)
			if most := 2 * idle; p95 > most {
				t.Errorf("p95 %v, at most %v expected", p95, most)
			}
			if requests == 0 {
				t.Error("the dead project was never asked: the test tells nothing")
			}
		})
	}
}
