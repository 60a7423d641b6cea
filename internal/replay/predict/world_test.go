package predict

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dead = push.CodeAttemptsExhausted

// world is the room and everything around it.
type world struct {
	*letterstest.World

	cfg  Config
	kept *letters.Room
	room *Room
}

func newWorld(t letterstest.Fataler, ctx func() context.Context) *world {
	t.Helper()
	w := &world{World: letterstest.NewWorld(t, ctx)}
	w.cfg = Config{
		Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(), Queues: push.Queues(),
		Software: "v2", Concurrency: 1, CostPerSend: 0.000002, Now: time.Now,
	}
	var err error
	w.kept, err = letters.New(letters.Config{
		Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(), App: "project",
		Software: w.cfg.Software, Dead: w.DeadPorts(), Loops: 1,
		Log: zap.NewNop(), Metrics: letters.NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	})
	w.Must(err)
	w.cfg.Keeper = w.kept
	w.Drains = func(ctx context.Context) error {
		_, err := w.kept.Drain(ctx)
		return err
	}
	w.reboot()
	return w
}

// reboot starts the room again, with the configuration as it is now.
func (w *world) reboot() {
	w.T.Helper()
	var err error
	w.room, err = New(w.cfg)
	w.Must(err)
}
