package outcome_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("it is away")

// world is the registry and whoever listens.
type world struct {
	devices devicetest.Memory

	mu      sync.Mutex
	notes   []push.DeviceNote
	records []int // sizes of calls of RecordDevices
	events  []wire.Event
	away    bool
}

// NoteDevices keeps what the registry is told, which it answers by its contract.
func (w *world) NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return nil, errAway
	}
	w.notes = append(w.notes, notes...)
	return w.devices.NoteDevices(ctx, tenant, notes)
}

// RecordDevices does what NoteDevices does.
func (w *world) RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return errAway
	}
	w.notes, w.records = append(w.notes, notes...), append(w.records, len(notes))
	return w.devices.RecordDevices(ctx, tenant, notes)
}

func (w *world) Publish(_ context.Context, events []wire.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return errAway
	}
	w.events = append(w.events, events...)
	return nil
}

// rig is the room, with a guard that is easy to raise.
type rig struct {
	*outcome.Outcomes
	*world
	now time.Time
	reg *prometheus.Registry
}

func setup(t *testing.T) *rig {
	t.Helper()
	wave, err := outcome.NewWave(0.3, 10, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{world: &world{}, now: time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC), reg: prometheus.NewRegistry()}
	r.devices.SetDevice(push.Device{
		Tenant: "acme", ID: "dev-1", UserID: "user-1", Platform: push.PlatformIOS, State: push.DeviceActive,
		Address: push.Address{Kind: push.KindToken, Value: secretToken},
	})
	r.Outcomes = outcome.New(outcome.Config{
		Devices: r.world, Events: wiretest.Checked(t, r.world), Source: "/belfry", Wave: wave, Log: zap.NewNop(),
		Metrics: outcome.NewMetrics(r.reg), Now: func() time.Time { return r.now }, RecordUnknown: true,
	})
	return r
}

const (
	secretToken = "fcm-secret-token-0123456789"
	secretTitle = "Your pregnancy test"
	secretBody  = "is ready in our Springfield clinic"
)

// notification has something to hide in every place.
func notification() *push.Notification {
	return &push.Notification{
		ID: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", Tenant: "acme", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Target:  push.Target{Tokens: []push.Token{secretToken}},
		Message: push.Message(`{"notification":{"title":"` + secretTitle + `","body":"` + secretBody + `"}}`),
		Labels:  map[string]string{"team": "a"},
	}
}

// line returns a chunk's line with these outcomes.
func line(state ledger.State, codes ...push.Code) *ledger.Line {
	l := &ledger.Line{Ref: push.ChunkRef{Notification: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", Seq: 7}, Tenant: "acme", State: state}
	for _, c := range codes {
		l.Cells = append(l.Cells, ledger.CellOf(c, false))
	}
	return l
}

// many repeats a code.
func many(n int, c push.Code) []push.Code {
	codes := make([]push.Code, n)
	for i := range codes {
		codes[i] = c
	}
	return codes
}

func gone(at time.Time, n int) []push.DeviceNote {
	notes := make([]push.DeviceNote, n)
	for i := range notes {
		notes[i] = push.DeviceNote{
			Address: push.Address{Kind: push.KindToken, Value: secretToken}, Code: push.CodeFCMUnregistered, At: at, SentAt: at, Quarantine: true,
		}
	}
	return notes
}

func (r *rig) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
