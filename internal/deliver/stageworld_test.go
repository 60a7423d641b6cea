package deliver

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver/lease"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// stageWorld is what stages are built with in tests, and a job of three recipients
// as loading leaves it.
type stageWorld struct {
	*testing.T

	ledger   *ledgertest.Memory
	timing   *timing
	leases   *lease.Leases
	heads    *heads
	guard    *guard.Guard
	metrics  *Metrics
	told     stageTold
	asked    []string                   // addresses, in the order of their requests
	answer   func(address string) error // of FCM; nil: it takes the message
	encoding func() error               // what the encoder says
	box      *workertest.Memory         // what is handed back
	dead     *workertest.Memory         // letters
	job      *job
	boxDo    func(op string, effect func() error) error // of box; see workertest.Around
	deadDo   func(op string, effect func() error) error // of dead
}

// stageTold is what outcome is told.
type stageTold struct{ settled, completed int }

func (o *stageTold) Settled(context.Context, *push.Notification, *ledger.Line, []push.DeviceNote) {
	o.settled++
}
func (o *stageTold) Completed(context.Context, push.Notification, ledger.Counts)   { o.completed++ }
func (o *stageTold) Held(context.Context, push.Notification, push.Part, push.Hold) {}

// Send implements Sender.
func (w *stageWorld) Send(_ context.Context, body []byte) (string, error) {
	_, after, _ := strings.Cut(string(body), `"token":"`)
	address, _, _ := strings.Cut(after, `"`)
	w.asked = append(w.asked, address)
	if w.answer != nil {
		return "projects/p/messages/1", w.answer(address)
	}
	return "projects/p/messages/1", nil
}

// Encode implements Encoder.
func (w *stageWorld) Encode(m push.Message) (push.Message, error) {
	if w.encoding != nil {
		return nil, w.encoding()
	}
	return m, nil
}

var stageRef = push.ChunkRef{Notification: "ntf_01890a5d-ac96-774b-bcce-b302099a8057"}

// inStages runs a test of a stage in a bubble.
func inStages(t *testing.T, test func(w *stageWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newStageWorld(t)
		defer w.heads.cache.StopAllGoroutines()
		test(w)
	})
}

func newStageWorld(t *testing.T) *stageWorld {
	t.Helper()
	w := &stageWorld{T: t, ledger: &ledgertest.Memory{}, box: &workertest.Memory{}, dead: &workertest.Memory{}}
	w.ledger.PutNotification(push.Notification{
		ID: stageRef.Notification, Tenant: "acme", Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityNormal,
		Guarantee: push.AtLeastOnce, AcceptedAt: time.Now(), Progress: push.Progress{Version: 1, State: push.StateAccepted, Pages: 1},
	})
	w.ledger.PutLine(
		ledger.NewLine(ledger.Plan{Ref: stageRef, Tenant: "acme", Sources: 3, Last: true, Cells: make([]ledger.Cell, 3)}, time.Now()),
	)
	begun := time.Now()
	w.timing = &timing{now: time.Now, elapsed: func() time.Duration { return time.Since(begun) }, rand: rand.New(rand.NewPCG(1, 2))}
	w.leases = &lease.Leases{
		Process: "p1", Lines: w.ledger, Moment: w.timing.moment, Jitter: w.timing.jitter, Wrote: func(time.Duration) {},
		Failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "failed"}), Log: zap.NewNop(),
	}
	var err error
	if w.heads, err = newHeads(w.ledger, noTerms{}, w, w.timing.moment); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	w.metrics = NewMetrics(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"}))
	cfg := guard.DefaultConfig("p")
	cfg.Ramp, cfg.PerSecond, cfg.OpenAfter.Many, cfg.OpenAfter.Few = 0, 1e6, 1, 1
	if w.guard, err = guard.New(cfg, time.Now, rand.New(rand.NewPCG(3, 4)), zap.NewNop(), nil, nil); err != nil {
		t.Fatal(err)
	}
	w.job = w.newJob()
	w.run(&loading{timing: w.timing, heads: w.heads}, "")
	return w
}

// newJob returns a job as Handle makes it.
func (w *stageWorld) newJob() *job {
	chunk := push.Chunk{Ref: stageRef, Tenant: "acme", Attempt: 1, Index: []int{0, 1, 2}}
	j := &job{chunk: chunk, receives: 1, lease: w.leases.New(zap.Skip)}
	j.channel = Channel{Sender: w, Guard: w.guard}
	for _, name := range []string{"a", "b", "c"} {
		j.chunk.Recipients = append(j.chunk.Recipients, push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(name)}})
	}
	return j
}

// run runs a stage, which must end so: with a verdict, with "error", or with "".
func (w *stageWorld) run(s stage, want string) {
	w.Helper()
	v, err := s.run(w.Context(), w.job)
	got := ""
	switch {
	case err != nil:
		got = "error"
	case v != nil:
		got = v.String()
	}
	if got != want {
		w.Errorf("%T ended with %q (%v), want %q", s, got, err, want)
	}
}

// claimed runs the stage that others need.
func (w *stageWorld) claimed() { w.run(w.claiming(), "") }

func (w *stageWorld) claiming() *claiming {
	return &claiming{
		pace: pace.New(checkpointEvery, checkpointResults), window: 10, metrics: w.metrics,
		completion: &completion{timing: w.timing, notifications: w.ledger, outcomes: &w.told},
	}
}

func (w *stageWorld) requests() *requests {
	return &requests{
		erasures: nobodyErased{},
		timing:   w.timing, brakes: brakes{notifications: w.ledger, heads: w.heads, outcomes: &w.told, metrics: w.metrics, log: zap.NewNop()},
		heads: w.heads, pauses: unpaused{}, pace: pace.New(checkpointEvery, checkpointResults), lane: push.LaneBulk, window: 10,
		maxAttempts: 3, maxElapsed: time.Hour, log: zap.NewNop(), metrics: w.metrics,
	}
}

func (w *stageWorld) rendered() {
	w.run(&rendering{timing: w.timing, encoder: w, metrics: w.metrics}, "")
}

// codes holds the outcomes in the job against what they should be.
func (w *stageWorld) codes(want ...push.Code) {
	w.Helper()
	if diff := cmp.Diff(want, codesOf(&w.job.lease.Line)); diff != "" {
		w.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// change changes the stored line.
func (w *stageWorld) change(f func(l *ledger.Line)) {
	l := w.ledger.AllLines()[stageRef]
	f(&l)
	w.ledger.PutLine(l)
}
