package batch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker/workertest"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

var errAway = errors.New("store is away")

const (
	tenant = "acme"
	trace  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// world is the stores and the queue around the room, and the notification that a
// test is about.
type world struct {
	id     push.ID
	ledger ledgertest.Memory
	pages  batchtest.Memory
	queue  workertest.Memory
	reads  atomic.Int64 // of pages
	busy   bool         // the queue is away
	meet   func()       // runs once, just before the next Advance

	mu     sync.Mutex // of chance, while calls run
	chance *rand.Rand // of a write's failing; nil never fails
}

// open returns a world with an empty batch in it.
func open() *world {
	w := &world{}
	w.begin(push.NewID(push.PrefixBatch))
	return w
}

// begin stores an empty notification, which the test is about from now on.
func (w *world) begin(id push.ID) {
	w.id = id
	w.ledger.PutNotification(push.Notification{
		ID: id, Tenant: tenant, TraceParent: trace, Progress: push.Progress{Version: 1, State: push.StateUploading},
	})
}

// progress returns the notification's progress as it is stored.
func (w *world) progress() push.Progress {
	n, err := w.ledger.Notification(context.Background(), w.id)
	if err != nil {
		panic(err)
	}
	return n.Progress
}

// change changes the stored progress.
func (w *world) change(f func(p *push.Progress)) {
	w.ledger.ChangeNotification(w.id, func(n *push.Notification) { f(&n.Progress) })
}

// tasks decodes what the queue took.
func (w *world) tasks(t *testing.T) (tasks []wire.Task) {
	t.Helper()
	for _, m := range w.queue.All() {
		task, err := wire.DecodeTask(m.Body)
		if err != nil || m.Group != tenant {
			t.Fatalf("bad task of group %q: %v", m.Group, err)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// try runs a write that may fail before or after it took effect.
func (w *world) try(write func() error) error {
	runtime.Gosched() // let uploads that run side by side meet
	if w.fails() {
		return errAway
	}
	err := write()
	if w.fails() {
		return errAway
	}
	return err
}

func (w *world) fails() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	const odds = 4
	return w.chance != nil && w.chance.IntN(odds) == 0
}

// config returns what the room is built from, with the world's faults around its
// stores, a clock that stands still, and nothing logged.
func (w *world) config() batch.Config {
	return batch.Config{
		Ledger: ledgertest.Around{Store: &w.ledger, Do: func(op string, effect func() error) error {
			if op != "Advance" {
				return effect()
			}
			return w.try(func() error {
				if meet := w.meet; meet != nil {
					w.meet = nil
					meet()
				}
				return effect()
			})
		}},
		Pages: batchtest.Around{Pages: &w.pages, Do: func(op string, effect func() error) error {
			if op == "Page" {
				w.reads.Add(1)
				return effect()
			}
			return w.try(effect)
		}},
		Tasks: workertest.Around{Queue: &w.queue, Do: func(_ string, effect func() error) error {
			if w.busy {
				return errAway
			}
			return effect()
		}},
		Log: zap.NewNop(), Metrics: batch.NewMetrics(prometheus.NewRegistry()), Now: func() time.Time { return time.Time{} },
	}
}

// room returns the room in a world, with pages of at most so many recipients.
func room(t *testing.T, w *world, recipients int) *batch.Batches {
	t.Helper()
	cfg := w.config()
	cfg.Log, cfg.Now, cfg.PageRecipients, cfg.SpoolBytes = zaptest.NewLogger(t), time.Now, recipients, 1<<20
	return batch.New(cfg)
}
