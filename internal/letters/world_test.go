package letters

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { raced.Main(m) }

// world is the room and everything around it.
type world struct {
	*letterstest.World

	cfg  Config
	room *Room
}

func newWorld(t letterstest.Fataler, ctx func() context.Context) *world {
	t.Helper()
	w := &world{World: letterstest.NewWorld(t, ctx)}
	w.cfg = Config{
		Letters: w.LettersPort(), Notifications: w.LedgerPort(), Lines: w.LedgerPort(), Documents: w.DocumentsPort(), App: "project",
		Software: "v2",
		Dead:     w.DeadPorts(), Loops: 1, Log: zap.NewNop(), Metrics: NewMetrics(prometheus.NewRegistry()), Now: time.Now,
	}
	w.Drains = func(ctx context.Context) error {
		_, err := w.room.Drain(ctx)
		return err
	}
	w.reboot()
	return w
}

// reboot starts the room's process again.
func (w *world) reboot() {
	w.T.Helper()
	w.Reboot()
	room, err := New(w.cfg)
	w.Must(err)
	w.room = room
}

// other returns the room as another process has it.
func (w *world) other(change func(*Config)) *Room {
	w.T.Helper()
	cfg := w.cfg
	cfg.Metrics = NewMetrics(prometheus.NewRegistry())
	change(&cfg)
	room, err := New(cfg)
	w.Must(err)
	return room
}

// crowd parks the letters of n recipients.
func (w *world) crowd(n int) {
	w.T.Helper()
	codes := make([]push.Code, n)
	for i := range codes {
		codes[i] = dead
	}
	w.Die(w.Chunk(codes...))
	time.Sleep(time.Second) // of the bubble: what was stored lies before what is asked
}

// at returns a time n minutes after the tests' epoch.
func at(n int) time.Time {
	return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}
