package replay

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/wire/wiretest"
	"github.com/belfry-push/belfry/internal/worker/workertest"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

const (
	dead     = push.CodeAttemptsExhausted
	software = "v2"
)

type place = letterstest.Place

// world is the room and everything around it.
type world struct {
	*letterstest.World

	lane *workertest.Memory // the replay lane
	cfg  Config
	kept *letters.Room
	room *Room

	telling sync.Mutex
	told    []wire.Event
}

func newWorld(t letterstest.Fataler, ctx func() context.Context) *world {
	t.Helper()
	w := &world{World: letterstest.NewWorld(t, ctx)}
	w.lane = w.Sources[push.QueueReplay]
	w.cfg = Config{
		Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(),
		Owner: "p", Sources: w.SourcePorts(), Concurrency: 1,
		Events: w, Log: zap.NewNop(), Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	w.Drains = func(ctx context.Context) error {
		_, err := w.kept.Drain(ctx)
		return err
	}
	w.reboot()
	return w
}

// reboot starts the rooms' process again.
func (w *world) reboot() {
	w.T.Helper()
	w.Reboot()
	var err error
	w.kept, err = letters.New(letters.Config{
		Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(), App: "project",
		Software: software, Dead: w.DeadPorts(), Loops: 1,
		Log: zap.NewNop(), Metrics: letters.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	})
	w.Must(err)
	w.cfg.Keeper = w.kept
	w.cfg.Predict, err = predict.New(predict.Config{
		Keeper: w.kept, Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(),
		Queues: push.Queues(), Software: software, Concurrency: w.cfg.Concurrency, Now: time.Now,
	})
	w.Must(err)
	w.room, err = New(w.cfg)
	w.Must(err)
}

// Publish implements Publisher; what is told has to be as docs/events.md says.
func (w *world) Publish(_ context.Context, events []wire.Event) error {
	for i := range events {
		w.Must(wiretest.Check(&events[i]))
	}
	w.telling.Lock()
	defer w.telling.Unlock()
	w.told = append(w.told, events...)
	return nil
}
