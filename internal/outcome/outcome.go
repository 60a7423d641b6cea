// Package outcome is the last room: it applies what an outcome causes once it is durable.
// It quarantines devices whose addresses are dead, records in the registry whom it does
// not know, successes and failures, and publishes events. An effect that a crash loses
// does no harm: the next send has the same effect.
package outcome

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
)

// Devices is the registry as outcomes need it.
type Devices interface {
	// NoteDevices applies up to 1000 notes of sends; it returns the devices that this call
	// quarantined.
	NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error)
	// RecordDevices remembers those addresses of any number of notes that are unknown.
	RecordDevices(ctx context.Context, tenant string, notes []push.DeviceNote) error
}

// Publisher publishes events. Publishing is best effort: the ledger is the truth.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}

// Config is what the room is built from.
type Config struct {
	Devices Devices
	Events  Publisher
	Source  string // CloudEvents source of outgoing events, a URI
	Wave    *Wave  // mass-invalidation guard
	// RecordUnknown remembers dead addresses that the registry does not know.
	RecordUnknown bool
	Log           *zap.Logger
	Metrics       *Metrics
	Now           func() time.Time
	Tracer        *trace.Tracer // nil: nobody sees spans
}

// Outcomes applies effects. Safe for concurrent use.
type Outcomes struct {
	cfg      Config
	recorder *recorder
}

// New returns the room.
func New(cfg Config) *Outcomes {
	o := &Outcomes{cfg: cfg}
	o.recorder = newRecorder(&cfg, o.note)
	return o
}

// Record writes what sends learn about devices and what can wait, until ctx ends; it
// returns within ten seconds then. Where nobody calls it, such notes are dropped.
func (o *Outcomes) Record(ctx context.Context) { o.recorder.run(ctx) }

// Settled implements deliver.Outcomes: a chunk's line was written, with these notes about
// devices.
func (o *Outcomes) Settled(ctx context.Context, n *push.Notification, line *ledger.Line, notes []push.DeviceNote) {
	answered, gone := share(line)
	o.cfg.Metrics.wave(o.cfg.Wave.Observe(answered, gone, o.cfg.Now()), o.cfg.Wave)
	if !o.cfg.Wave.Calm() {
		for i := range notes {
			if notes[i].Quarantine {
				notes[i].Quarantine = false
				o.cfg.Metrics.spared.Inc()
			}
		}
	}
	o.learn(ctx, n.Tenant, notes)
	if line.State == ledger.StateClosed {
		o.publish(ctx, string(n.ID), n.TraceParent, closed(n, line))
	}
}

// learn has the registry told what a send taught: at once what quarantines, and the
// failures of devices that it knows; beside the send what else there is.
func (o *Outcomes) learn(ctx context.Context, tenant string, notes []push.DeviceNote) {
	var now, later []push.DeviceNote
	for _, n := range notes {
		if n.Quarantine || n.Code != push.CodeSent && !n.Record {
			n.Record = o.cfg.RecordUnknown && n.Quarantine
			now = append(now, n)
		} else {
			later = append(later, n)
		}
	}
	o.recorder.take(tenant, later)
	if len(now) == 0 {
		return
	}
	if err := o.note(ctx, tenant, now); err != nil {
		o.cfg.Log.Warn("device registry not updated; trying again beside the sends", zap.String("tenant", tenant),
			zap.Int("devices", len(now)), zap.Error(err))
		o.recorder.take(tenant, now)
	}
}

// note applies notes, and publishes which devices that quarantined.
func (o *Outcomes) note(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	quarantined, err := o.cfg.Devices.NoteDevices(ctx, tenant, notes)
	o.cfg.Metrics.quarantined.Add(float64(len(quarantined)))
	o.tellQuarantined(ctx, quarantined)
	return err
}

// Completed implements deliver.Outcomes: nothing of the notification is open.
func (o *Outcomes) Completed(ctx context.Context, n push.Notification, c ledger.Counts) {
	o.tell(&n, &c)
	o.publish(ctx, string(n.ID), n.TraceParent, wire.Completed{
		ID: n.ID, Tenant: n.Tenant, App: n.AppName(), Labels: n.Labels, Recipients: c.Recipients, ByCode: codeCounts(&c),
		PossibleDuplicates: c.PossibleDuplicates, AcceptedAt: n.AcceptedAt, CompletedAt: n.Progress.CompletedAt,
	})
}

// tell logs what came of a notification: of a batch at info, of the many others at debug.
func (o *Outcomes) tell(n *push.Notification, c *ledger.Counts) {
	level, begun := zapcore.DebugLevel, n.AcceptedAt
	if n.ID.IsBatch() {
		level = zapcore.InfoLevel
		if !n.Progress.StartedAt.IsZero() {
			begun = n.Progress.StartedAt
		}
	}
	entry := o.cfg.Log.Check(level, "everything has its outcome")
	if entry == nil {
		return
	}
	most := push.CodeOpen // what most of those have that were not sent
	for _, f := range push.Codes() {
		if f.Code != push.CodeSent && c.ByCode[f.Code] > 0 && (most == push.CodeOpen || c.ByCode[f.Code] > c.ByCode[most]) {
			most = f.Code
		}
	}
	sent := c.ByCode[push.CodeSent]
	fields := []zap.Field{
		about.Notification(n), zap.String("state", string(n.Progress.State)),
		zap.Int64("recipients", c.Recipients), zap.Int64("sent", sent), zap.Int64("not_sent", c.Recipients-sent),
		zap.Duration("took", o.cfg.Now().Sub(begun)),
	}
	if most != push.CodeOpen {
		fields = append(fields, zap.Stringer("most_code", most), zap.Int64("with_most_code", c.ByCode[most]))
	}
	entry.Write(fields...)
}

// Held implements deliver.Outcomes: a part of the notification waits for an operator.
func (o *Outcomes) Held(ctx context.Context, n push.Notification, part push.Part, h push.Hold) {
	o.publish(ctx, string(n.ID), n.TraceParent, wire.Held{
		ID: n.ID, Tenant: n.Tenant, App: n.AppName(), Labels: n.Labels, Platform: part.String(), Code: h.Code, Refused: h.Refused,
		Scattered: h.Scattered, Since: h.Since, ExpiresAt: n.Deadline(),
	})
}

// BreakerChanged publishes that a credential's breaker changed its state.
func (o *Outcomes) BreakerChanged(ctx context.Context, c wire.BreakerChanged) {
	o.publish(ctx, c.Credential, "", c)
}

// CredentialInvalid publishes that Google does not take an app's credential any more.
func (o *Outcomes) CredentialInvalid(ctx context.Context, e wire.CredentialInvalid) {
	o.publish(ctx, e.Tenant+"/"+e.App, "", e)
}

// closed returns the event of a closed chunk: counts, no recipient and no text.
func closed(n *push.Notification, line *ledger.Line) wire.Outcome {
	c := line.Tally()
	return wire.Outcome{
		ID: n.ID, Tenant: n.Tenant, App: n.AppName(), Labels: n.Labels, Chunk: line.Ref.Seq, Recipients: c.Recipients,
		ByCode: codeCounts(&c), PossibleDuplicates: c.PossibleDuplicates,
	}
}

func (o *Outcomes) tellQuarantined(ctx context.Context, devices []push.Device) {
	events := make([]wire.Event, 0, len(devices))
	for i := range devices {
		d := &devices[i]
		events = o.with(events, string(d.ID), "", wire.DeviceQuarantined{
			DeviceID: d.ID, Tenant: d.Tenant, UserID: d.UserID, Platform: d.Platform, Code: d.LastFailure, At: d.QuarantinedAt,
		})
	}
	o.send(ctx, events)
}

func (o *Outcomes) publish(ctx context.Context, subject, traceParent string, data wire.Data) {
	if o.cfg.Tracer == nil || traceParent == "" {
		o.send(ctx, o.with(nil, subject, traceParent, data))
		return
	}
	s := o.cfg.Tracer.Continue(trace.Producer, trace.OpSend+" "+destination, traceParent)
	if s.Kept() {
		s.Set(trace.Send(destination)...)
		s.Set(trace.Text(trace.KeyEvent, data.EventType()))
	}
	if !o.send(ctx, o.with(nil, subject, s.TraceParent(traceParent), data)) {
		s.Fail("unpublished")
	}
	s.End()
}

// destination is what events go to, as spans name it.
const destination = "outcomes"

// with appends an event. An event that cannot be encoded is logged and left out.
func (o *Outcomes) with(events []wire.Event, subject, traceParent string, data wire.Data) []wire.Event {
	e, err := wire.NewEvent(o.cfg.Source, subject, traceParent, o.cfg.Now(), data)
	if err != nil {
		o.cfg.Metrics.unpublished.Inc()
		o.cfg.Log.Error("event not encoded", zap.String("type", data.EventType()), zap.Error(err))
		return events
	}
	return append(events, e)
}

// send reports whether the events were published.
func (o *Outcomes) send(ctx context.Context, events []wire.Event) bool {
	if len(events) == 0 {
		return true
	}
	if err := o.cfg.Events.Publish(ctx, events); err != nil {
		o.cfg.Metrics.unpublished.Add(float64(len(events)))
		o.cfg.Log.Warn("events not published", zap.Int("events", len(events)), zap.Error(err))
		return false
	}
	return true
}

func codeCounts(c *ledger.Counts) map[string]int64 {
	out := map[string]int64{}
	for _, f := range push.Codes() {
		if n := c.ByCode[f.Code]; n > 0 {
			out[f.Name] = n
		}
	}
	return out
}

// share returns for how many of a line's recipients FCM said whether the address is good,
// and how many it called dead, or invalid although the message was good for others. Both
// are counted once, when the line closes: counts of different times make no share, and a
// chunk of several turns would trip the guard for nothing.
func share(line *ledger.Line) (answered, gone int) {
	if line.State != ledger.StateClosed {
		return 0, 0
	}
	sent, dead, doubted := 0, 0, 0
	for _, cell := range line.Cells {
		code := cell.Code()
		switch code.Blame() {
		case push.BlameMessage: // says nothing about the device
		case push.BlameDevice:
			dead++
		case push.BlameToken, push.BlameUnclear:
			doubted++
		case push.BlamePlatform, push.BlameProject:
			answered++
		case push.BlameNobody:
			if code == push.CodeSent {
				sent++
			}
		}
	}
	answered += sent + dead + doubted
	if sent == 0 {
		return answered, dead
	}
	return answered, dead + doubted
}
