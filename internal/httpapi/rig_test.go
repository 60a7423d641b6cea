package httpapi

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/httpapi/auditlog"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters/deadletterstest"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// The ids that tests speak of.
const (
	ntfID = "ntf_01890a5d-ac96-774b-bcce-b302099a8057"
	batID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
)

// maxBody is the largest body of JSON that the API takes.
const maxBody = 1 << 20

func testNow() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

// rig is the API on fakes, but for the rooms of devices and of dead letters.
type rig struct {
	*doortest.Caller

	cfg     Config
	intake  *fakeIntake
	batches *fakeBatches
	devices *devicetest.Memory
	reports *fakeReports
	google  *fakeGoogle
	answers *doortest.Answers
	usage   *fakeUsage
	status  fakeStatus
	health  *telemetry.Health
	audit   *audits
	logs    *observer.ObservedLogs
}

func setup(tb testing.TB, change ...func(*Config)) *rig {
	tb.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	g := &rig{
		logs:    logs,
		intake:  &fakeIntake{now: testNow, seen: map[push.ID]push.Notification{}},
		batches: &fakeBatches{fn: moved, upload: countLines},
		devices: &devicetest.Memory{},
		reports: &fakeReports{
			view: report.View{
				Notification: push.Notification{ID: ntfID, Priority: push.PriorityNormal, AcceptedAt: testNow()}, State: push.StateSending,
			},
		},
		google:  &fakeGoogle{},
		answers: &doortest.Answers{},
		health:  telemetry.NewHealth(time.Second),
		audit:   &audits{},
		usage:   &fakeUsage{},
	}
	kept, replays := deadletterstest.Rooms(tb)
	registry := device.New(device.Config{
		Writer: g.devices, Finder: g.devices, Log: zap.NewNop(), Metrics: device.NewMetrics(prometheus.NewRegistry()), Now: testNow,
	})
	g.cfg = Config{
		Intake: g.intake, Previews: fanout.NewPreviewer(g.devices), Batches: g.batches, Devices: registry, Reports: g.reports,
		Credentials: credentialRoom(tb, g.google),
		Ledger:      recorded{g.reports}, Directory: access.New(&documenttest.Memory{}, testNow), Entrance: entrance(false),
		Letters: kept, Replays: replays, Answers: g.answers,
		Usage: g.usage, Auth: access.Keys{}, Audit: g.audit, AuditLog: auditlog.Config{Entries: journal.NewReader(&audittest.Memory{})},
		Pages: doortest.OwnPages(tb), Health: g.health, Registry: telemetry.NewRegistry(), Log: zap.New(core), Now: testNow,
		Quotas:   &fakeQuotas{},
		Pauses:   pause.New(&documenttest.Memory{}, testNow, zap.NewNop()),
		Status:   &g.status,
		Breakers: &oneBreaker{},
		Events:   briefHub{},
		Version:  "v1.2.3",
	}
	for _, f := range change {
		f(&g.cfg)
	}
	g.Caller = doortest.New(tb, g.cfg.door(), table(&g.cfg))
	return g
}

// recorded has the notification of the fake reports.
type recorded struct{ reports *fakeReports }

func (l recorded) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	if n := l.reports.view.Notification; n.ID == id {
		return n, nil
	}
	return push.Notification{}, push.ErrNotFound
}

// entrance says whether requests without a key are let in.
type entrance bool

func (e entrance) LetsAnyone(context.Context) (bool, error) { return bool(e), nil }

func (entrance) Recheck() {}

// moved answers an operation with a notification in a fitting state.
func moved(op string, id push.ID) (push.Notification, error) {
	state := map[string]push.State{
		"start": push.StateAccepted, "pause": push.StatePaused, "resume": push.StateSending, "cancel": push.StateCancelled,
	}[op]
	return push.Notification{
		ID: id, Priority: push.PriorityBulk, AcceptedAt: testNow(), Progress: push.Progress{State: state, Sources: 3, Watermark: 4, Invalid: 1},
	}, nil
}

func countLines(r io.Reader, _ batch.Options) (batch.Result, error) {
	b, err := io.ReadAll(r)
	n := int64(bytes.Count(b, []byte("\n")))
	return batch.Result{Accepted: n, Watermark: n}, err
}
