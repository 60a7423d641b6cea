package busy

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	store "github.com/belfry-push/belfry/internal/adapter/sqlite/ledger"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/queue"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

const (
	chunks, recipients = 8, 200
	batch              = push.ID("bat_01890a5d-ac96-774b-bcce-b302099a8058")
	// visibility is short, so that heartbeats are among what waits for the disk.
	visibility = 600 * time.Millisecond
)

// fcm accepts everything after a while, and counts.
type fcm struct {
	mu    sync.Mutex
	asked map[string]int
}

// Send implements deliver.Sender.
func (f *fcm) Send(_ context.Context, body []byte) (string, error) {
	<-time.After(time.Duration(rand.IntN(40)+20) * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[string(body)]++
	return "projects/p/messages/1", nil
}

// asIs is an encoder of messages that need no encoding.
type asIs struct{}

// Encode implements deliver.Encoder.
func (asIs) Encode(m push.Message) (push.Message, error) { return m, nil }

// nothing comes of an outcome.
type nothing struct{}

func (nothing) Settled(context.Context, *push.Notification, *ledger.Line, []push.DeviceNote) {}
func (nothing) Completed(context.Context, push.Notification, ledger.Counts)                  {}
func (nothing) Held(context.Context, push.Notification, push.Part, push.Hold)                {}

// watchedLines and watchedQueue note what their calls go through.
type (
	watchedLines struct {
		*store.Store

		saves queueing
	}
	watchedQueue struct {
		*queue.Queue

		heartbeats queueing
	}
)

// SaveLine implements deliver.Lines.
func (w *watchedLines) SaveLine(ctx context.Context, l ledger.Line, from int64, attempts []ledger.Attempt) error {
	return w.saves.watch(func() error { return w.Store.SaveLine(ctx, l, from, attempts) })
}

// Extend implements worker.Queue.
func (w *watchedQueue) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	return w.heartbeats.watch(func() error { return w.Queue.Extend(ctx, msgs, visibility) })
}

// TestNothingIsFlaggedOnABusyMachine: chunks are delivered while both of the files that they need are
// flooded.
func TestNothingIsFlaggedOnABusyMachine(t *testing.T) {
	t.Parallel()
	main := open(t, []db.Migration{
		{Version: 1, SQL: store.SchemaNotifications},
		{Version: 2, SQL: store.SchemaLines},
		{Version: 3, SQL: store.SchemaSuspects},
		{Version: 4, SQL: store.SchemaUnfinished},
		{Version: 5, SQL: store.SchemaFirst},
		{Version: 6, SQL: store.SchemaRetired},
		{Version: 7, SQL: store.SchemaKeep},
	})
	queues := open(t, queue.Migrations())
	watch := queue.NewWatch(queues, zap.NewNop())
	defer watch.Close()
	work, err := queue.Open(t.Context(), watch, push.QueueBulk, queue.Config{Visibility: visibility})
	if err != nil {
		t.Fatal(err)
	}
	lines, q := &watchedLines{Store: store.New(main)}, &watchedQueue{Queue: work}
	plan(t, lines, q)

	var stopMain, stopQueues func()
	lines.saves.flood, stopMain = keepBusy(t, main)
	q.heartbeats.flood, stopQueues = keepBusy(t, queues)
	f := &fcm{asked: map[string]int{}}
	run(t, lines, q, f)
	stopMain()
	stopQueues()

	c, err := lines.Counts(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if sent := c.ByCode[push.CodeSent]; sent != chunks*recipients || c.PossibleDuplicates != 0 {
		t.Errorf("of %d recipients %d were sent to, and %d are flagged", chunks*recipients, sent, c.PossibleDuplicates)
	}
	for body, n := range f.asked {
		if n > 1 {
			t.Errorf("asked %d times for %s", n, body)
		}
	}
	lines.saves.verify(t, "claims and checkpoints", enough)
	q.heartbeats.verify(t, "heartbeats", 2)
}

func open(t *testing.T, steps []db.Migration) *db.DB {
	t.Helper()
	file, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), steps, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

// plan stores a batch and puts its chunks on the queue.
func plan(t *testing.T, lines *watchedLines, q worker.Sink) {
	t.Helper()
	now := time.Now()
	n := push.Notification{
		ID: batch, Tenant: "acme", Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityBulk,
		Guarantee: push.AtLeastOnce, AcceptedAt: now,
		Progress: push.Progress{Version: 1, State: push.StateAccepted, Sources: chunks * recipients, Pages: 1, StartedAt: now},
	}
	if _, _, err := lines.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for seq := range chunks {
		c := push.Chunk{Ref: push.ChunkRef{Notification: batch, Seq: seq}, Tenant: "acme", Attempt: 1}
		for i := range recipients {
			line := seq*recipients + i + 1
			to := push.Address{Kind: push.KindToken, Value: push.Token("token-" + strconv.Itoa(line))}
			c.Recipients = append(c.Recipients, push.Recipient{Address: to, Line: int64(line)})
			c.Index = append(c.Index, i)
		}
		p := ledger.Plan{
			Ref: c.Ref, Tenant: "acme", Sources: recipients, Last: seq == chunks-1,
			Hashes: make([]uint64, recipients), Cells: make([]ledger.Cell, recipients),
		}
		if _, err := lines.Plan(t.Context(), []ledger.Plan{p}, now); err != nil {
			t.Fatal(err)
		}
		body, err := wire.EncodeChunk(&c, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Send(t.Context(), []worker.Outgoing{{Body: body, Group: "acme"}}); err != nil {
			t.Fatal(err)
		}
	}
}

// run delivers what is on the queue until every line is closed, or so many claims and checkpoints
// stood in line that there is no end to be seen: each claim lapses before its first checkpoint.
func run(t *testing.T, lines *watchedLines, q *watchedQueue, f *fcm) {
	t.Helper()
	reg := prometheus.NewRegistry()
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes"}, []string{"class", "code"})
	cfg := guard.DefaultConfig("p")
	cfg.Ramp, cfg.PerSecond = 0, 1e6
	g, err := guard.New(cfg, time.Now, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deliver.New(deliver.Config{
		Owner: "p1", Notifications: lines, Lines: lines, Sender: f, Encoder: asIs{}, Guard: g, Outcomes: nothing{},
		Chunks: map[push.Lane]worker.Sink{push.LaneBulk: q}, Dead: q, Lane: push.LaneBulk, Window: 10, Brake: 20, MaxAttempts: 3,
		MaxElapsed: time.Hour, Log: zap.NewNop(), Metrics: deliver.NewMetrics(reg, outcomes), Now: time.Now, Rand: rand.New(rand.NewPCG(3, 4)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w := worker.New(worker.Config{Name: push.QueueBulk, Concurrency: chunks, Visibility: visibility, Wait: time.Second},
		q, q, d, zap.NewNop(), worker.NewMetrics(reg))
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(t.Context()) }()
	for closed := int64(0); closed < chunks; <-time.After(50 * time.Millisecond) {
		c, err := lines.Counts(t.Context(), batch)
		if err != nil {
			t.Error(err)
			break
		}
		closed = c.ChunksClosed
		if _, calls, slow := lines.saves.slow(); slow && calls >= enough {
			break
		}
	}
	w.Drain()
	<-ended
}
