package replay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// tenant is the one that the HTTP API serves without a key.
const tenant = "default"

// house is a backend, a dispatcher that delivers, and the room.
type house struct {
	tb     testing.TB
	data   string // directory, on the embedded backend
	store  store
	queues map[string]worker.Queue
	fcm    *fakeFCM
	kept   *letters.Room
	room   *replay.Room
	keep   letters.Config
	cfg    replay.Config
}

// setup opens a house whose dispatcher sends to a fake until the test ends.
func setup(tb testing.TB, s store, queues map[string]worker.Queue) *house {
	tb.Helper()
	h := newHouse(tb, s, queues)
	h.fcm = &fakeFCM{accepted: map[string]int{}, bodies: map[string]string{}}
	tb.Cleanup(h.startDeliver(h.fcm, plain{}))
	return h
}

// open opens a house on a data directory, in which nobody delivers.
func open(tb testing.TB) *house {
	tb.Helper()
	data := tb.TempDir()
	s, queues := embedded(tb, data)
	h := newHouse(tb, s, queues)
	h.data = data
	return h
}

func newHouse(tb testing.TB, s store, queues map[string]worker.Queue) *house {
	tb.Helper()
	h := &house{tb: tb, store: s, queues: queues}
	h.keep = letters.Config{
		Letters: h.store, Notifications: h.store, Lines: h.store, Plans: h.store, Documents: h.store, App: "project", Software: "v1",
		Dead: map[string]worker.Queue{}, Log: zap.NewNop(), Metrics: letters.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	h.cfg = replay.Config{
		Letters: h.store, Notifications: h.store, Lines: h.store, Documents: h.store, Owner: "test",
		Sources: map[string]worker.Sink{},
		Log:     zap.NewNop(), Metrics: replay.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	for _, name := range push.Queues() {
		h.keep.Dead[name], h.cfg.Sources[name] = h.queues[push.DeadLetterQueue(name)], h.queues[name]
	}
	var err error
	if h.kept, err = letters.New(h.keep); err != nil {
		tb.Fatal(err)
	}
	h.cfg.Keeper = h.kept
	h.cfg.Predict, err = predict.New(predict.Config{
		Keeper: h.kept, Letters: h.store, Notifications: h.store, Lines: h.store, Documents: h.store, Queues: push.Queues(), Software: "v1",
		Screens: []predict.Screen{predict.DeviceScreen{Devices: h.store}}, Now: time.Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	room, err := replay.New(h.cfg)
	if err != nil {
		tb.Fatal(err)
	}
	h.room = room
	return h
}

// startDeliver serves the lanes, a try for each recipient,
// until stop is called.
func (h *house) startDeliver(sender deliver.Sender, encoder deliver.Encoder) (stop func()) {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	metrics := deliver.NewMetrics(prometheus.NewRegistry(), outcomes)
	gc := guard.DefaultConfig("project")
	gc.Ramp, gc.PerSecond, gc.OpenAfter.Many, gc.OpenAfter.Few = 0, 1e6, 100_000, 100_000 // breaker and pace stay out of it
	gc.QuotaShare, gc.BudgetBurst = 1, 1e6
	g, err := guard.New(gc, time.Now, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	workerMetrics := worker.NewMetrics(prometheus.NewRegistry())
	var stops []func()
	for _, lane := range []push.Lane{push.LaneHigh, push.LaneBulk, push.LaneReplay} {
		name := push.DeliveryQueue(lane)
		d, err := deliver.New(deliver.Config{
			Owner: "deliver-" + string(lane), Notifications: h.store, Lines: h.store, Sender: sender, Encoder: encoder, Guard: g,
			Outcomes: ignored{},
			Chunks:   h.lanes(),
			Dead:     h.queues[push.DeadLetterQueue(name)], Lane: lane, Window: 20, MaxAttempts: 1, MaxElapsed: time.Hour, Software: "v1",
			Log: zap.NewNop(), Metrics: metrics, Now: time.Now, Rand: rand.New(rand.NewPCG(3, 4)),
		})
		if err != nil {
			h.tb.Fatal(err)
		}
		stop := h.work(name, d, workerMetrics)
		stops = append(stops, func() {
			stop()
			d.Close()
		})
	}
	return func() {
		for _, f := range stops {
			f()
		}
	}
}

func (h *house) lanes() map[push.Lane]worker.Sink {
	return map[push.Lane]worker.Sink{
		push.LaneHigh: h.queues[push.QueueHigh], push.LaneBulk: h.queues[push.QueueBulk], push.LaneReplay: h.queues[push.QueueReplay],
	}
}

// work lets a handler work on a queue until stop is called.
func (h *house) work(name string, handler worker.Handler, metrics *worker.Metrics) (stop func()) {
	cfg := worker.Config{Name: name, Concurrency: 8, Visibility: 30 * time.Second, Wait: time.Second, Software: "v1"}
	if name != push.QueueEvents { // as the services are wired
		cfg.Homes = h.cfg.Sources
	}
	w := worker.New(cfg, h.queues[name], h.queues[push.DeadLetterQueue(name)], handler, zap.NewNop(), metrics)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(context.WithoutCancel(h.tb.Context()))
	}()
	return func() {
		w.Drain()
		<-ended
	}
}

// send puts one notification of n recipients on its way.
func (h *house) send(id push.ID, n int, tune func(*push.Notification)) {
	h.tb.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s-%03d", id, i)
	}
	chunk := h.plan(id, toTokens(tokens...), tune)
	h.enqueue(push.QueueBulk, h.encode(&chunk))
}

// toTokens returns the lines of an upload of tokens.
func toTokens(tokens ...string) []push.Recipient {
	rs := make([]push.Recipient, len(tokens))
	for i, token := range tokens {
		rs[i] = push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(token)}, Line: int64(i + 1)}
	}
	return rs
}

// plan records a notification of one chunk and returns the chunk.
func (h *house) plan(id push.ID, to []push.Recipient, tune func(*push.Notification)) push.Chunk {
	h.tb.Helper()
	note := push.Notification{
		ID: id, Tenant: tenant, Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityBulk,
		Guarantee:  push.AtLeastOnce,
		AcceptedAt: time.Now().UTC().Truncate(time.Microsecond), Labels: map[string]string{"template": "welcome"},
		Progress: push.Progress{State: push.StateAccepted, Enqueued: true, Sources: int64(len(to)), Pages: 1},
	}
	if tune != nil {
		tune(&note)
	}
	if _, _, err := h.store.Create(h.tb.Context(), note); err != nil {
		h.tb.Fatal(err)
	}
	ref := push.ChunkRef{Notification: id}
	plan := ledger.Plan{Ref: ref, Tenant: tenant, FirstLine: 1, Sources: len(to), Last: true, Cells: make([]ledger.Cell, len(to))}
	for i := range to {
		plan.Hashes = append(plan.Hashes, to[i].Address.Hash())
	}
	if _, err := h.store.Plan(h.tb.Context(), []ledger.Plan{plan}, time.Now()); err != nil {
		h.tb.Fatal(err)
	}
	chunk := push.Chunk{Ref: ref, Tenant: tenant, Attempt: 1, Recipients: to}
	for i := range to {
		chunk.Index = append(chunk.Index, i)
	}
	return chunk
}

func (h *house) encode(c *push.Chunk) []byte {
	h.tb.Helper()
	body, err := wire.EncodeChunk(c, "")
	if err != nil {
		h.tb.Fatal(err)
	}
	return body
}

func (h *house) enqueue(queue string, body []byte) {
	h.tb.Helper()
	if err := h.queues[queue].Send(h.tb.Context(), []worker.Outgoing{{Body: body, Group: tenant}}); err != nil {
		h.tb.Fatal(err)
	}
}

// counts waits until nothing of a notification is open.
func (h *house) counts(id push.ID) ledger.Counts {
	h.tb.Helper()
	for {
		c, err := h.store.Counts(h.tb.Context(), id)
		if err != nil {
			h.tb.Fatal(err)
		}
		if c.Done(1) && c.Chunks == c.ChunksClosed {
			return c
		}
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-pause.C:
		case <-h.tb.Context().Done():
			h.tb.Fatalf("%s has %d open deliveries", id, c.ByCode[push.CodeOpen])
		}
	}
}

func (h *house) drain() letters.Drained {
	h.tb.Helper()
	d, err := h.kept.Drain(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	return d
}

// replay simulates, starts and runs.
func (h *house) replay(s predict.SimulateRequest, o replay.Options) replay.Status {
	h.tb.Helper()
	sim, err := h.room.Simulate(h.tb.Context(), s)
	if err != nil {
		h.tb.Fatal(err)
	}
	return h.execute(sim.ID, o)
}

// execute replays what was simulated.
func (h *house) execute(simulation push.ID, o replay.Options) replay.Status {
	h.tb.Helper()
	run, err := h.room.Start(h.tb.Context(), replay.StartRequest{Simulation: simulation, Options: o})
	if err != nil {
		h.tb.Fatal(err)
	}
	status, err := h.room.Run(h.tb.Context(), run.ID)
	if err != nil {
		h.tb.Fatal(err)
	}
	return status
}

// fakeFCM accepts what it is not told to refuse, and remembers what it accepted.
type fakeFCM struct {
	mu       sync.Mutex
	down     func(token string) bool
	accepted map[string]int
	bodies   map[string]string
}

func (f *fakeFCM) Send(_ context.Context, body []byte) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := strings.Split(string(body), `"`)[5]
	if f.down != nil && f.down(token) {
		return "", &push.Error{Code: push.CodeFCMUnavailable, Detail: "The service is overloaded (request 4711)."}
	}
	f.accepted[token]++
	f.bodies[token] = string(body)
	return "projects/project/messages/1", nil
}

func (f *fakeFCM) outage(down func(token string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// most is how often the token that got most got the message.
func (f *fakeFCM) most() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, k := range f.accepted {
		n = max(n, k)
	}
	return n
}

type plain struct{}

func (plain) Encode(m push.Message) (push.Message, error) { return m, nil }

type ignored struct{}

func (ignored) Settled(context.Context, *push.Notification, *ledger.Line, []push.DeviceNote) {}
func (ignored) Completed(context.Context, push.Notification, ledger.Counts)                  {}
func (ignored) Held(context.Context, push.Notification, push.Part, push.Hold)                {}
