package batch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("store is away")

const tenant = "acme"

// house is one notification's item, its pages and the queue, in memory.
type house struct {
	mu     sync.Mutex
	n      push.Notification
	counts ledger.Counts
	pages  map[int][]byte
	reads  int // of pages
	tasks  []wire.Task
	chance *rand.Rand // of failing; nil never fails
	busy   bool       // the queue is away
	meet   func()     // runs once, just before the next Advance
}

// try runs a write that may fail before or after it took effect.
func (h *house) try(write func() error) error {
	runtime.Gosched() // let uploads that run side by side meet
	h.mu.Lock()
	defer h.mu.Unlock()
	const odds = 4
	if h.chance != nil && h.chance.IntN(odds) == 0 {
		return errAway
	}
	err := write()
	if h.chance != nil && h.chance.IntN(odds) == 0 {
		return errAway
	}
	return err
}

func (h *house) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id != h.n.ID {
		return push.Notification{}, push.ErrNotFound
	}
	return h.n, nil
}

func (h *house) Advance(_ context.Context, _ push.ID, next push.Progress) error {
	return h.try(func() error {
		if meet := h.meet; meet != nil {
			h.meet = nil
			meet()
		}
		if next.Version != h.n.Progress.Version+1 {
			return push.ErrConflict
		}
		h.n.Progress = next
		return nil
	})
}

func (h *house) Counts(context.Context, push.ID) (ledger.Counts, error) { return h.counts, nil }

func (h *house) PutPage(_ context.Context, _ push.ID, _ push.PageKind, n int, data []byte) (stored []byte, err error) {
	err = h.try(func() error {
		if _, ok := h.pages[n]; !ok {
			h.pages[n] = data
		}
		stored = h.pages[n]
		return nil
	})
	return stored, err
}

func (h *house) Page(_ context.Context, _ push.ID, _ push.PageKind, n int) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	if data, ok := h.pages[n]; ok {
		return data, nil
	}
	return nil, push.ErrNotFound
}

func (h *house) Send(_ context.Context, msgs []worker.Outgoing) error {
	if h.busy {
		return errAway
	}
	for _, m := range msgs {
		t, err := wire.DecodeTask(m.Body)
		if err != nil || m.Group != tenant {
			return errors.Join(err, errors.New("bad task"))
		}
		h.tasks = append(h.tasks, t)
	}
	return nil
}

// open returns a house with an empty batch in it.
func open() *house {
	return &house{
		n: push.Notification{
			ID: push.NewID(push.PrefixBatch), Tenant: tenant, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			Progress: push.Progress{Version: 1, State: push.StateUploading},
		},
		pages: map[int][]byte{},
	}
}

// room returns the room over a house, with pages of at most so many recipients.
func room(t *testing.T, h *house, recipients int) *batch.Batches {
	t.Helper()
	return batch.New(batch.Config{
		Ledger: h, Pages: h, Tasks: h, Log: zaptest.NewLogger(t), Metrics: batch.NewMetrics(prometheus.NewRegistry()),
		Now: time.Now, PageRecipients: recipients, SpoolBytes: 1 << 20,
	})
}
