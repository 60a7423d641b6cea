// Package outcome is the last room: what an outcome causes once it is durable.
// Devices whose addresses are dead are quarantined, the registry learns of successes and failures,
// and events tell the world. Losing an effect to a crash is harmless: the next
// send teaches the same.
package outcome

import (
	"context"
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Devices is the registry as outcomes need it.
type Devices interface {
	// NoteDevices applies what sends taught; it returns the devices that this
	// call quarantined.
	NoteDevices(ctx context.Context, tenant string, notes []push.DeviceNote) ([]push.Device, error)
}

// Publisher takes events for whoever listens. Publishing is best effort: the
// ledger is the truth.
type Publisher interface {
	Publish(ctx context.Context, events []wire.Event) error
}

// Config is what the room is built from.
type Config struct {
	Devices Devices
	Events  Publisher
	Source  string // CloudEvents source of outgoing events, a URI
	Wave    *Wave  // mass-invalidation guard
	Log     *zap.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Outcomes applies effects. Safe for concurrent use.
type Outcomes struct{ Config }

// New returns the room.
func New(cfg Config) *Outcomes { return &Outcomes{cfg} }

// Settled implements deliver.Outcomes: a chunk's line was written, with these
// lessons about devices.
func (o *Outcomes) Settled(ctx context.Context, n *push.Notification, line *ledger.Line, notes []push.DeviceNote) {
	answered, gone := share(line)
	o.Metrics.wave(o.Wave.Observe(answered, gone, o.Now()), o.Wave)
	if !o.Wave.Calm() {
		for i := range notes {
			if notes[i].Quarantine {
				notes[i].Quarantine = false
				o.Metrics.spared.Inc()
			}
		}
	}
	if len(notes) > 0 {
		quarantined, err := o.Devices.NoteDevices(ctx, n.Tenant, notes)
		if err != nil {
			o.Log.Warn("device registry not updated; the next send teaches the same", zap.Int("devices", len(notes)), zap.Error(err))
		}
		o.Metrics.quarantined.Add(float64(len(quarantined)))
		o.publish(ctx, quarantinedEvents(o, quarantined))
	}
	if line.State == ledger.StateClosed {
		o.publish(ctx, []wire.Event{o.chunkEvent(n, line)})
	}
}

// Completed implements deliver.Outcomes: nothing of the notification is open.
func (o *Outcomes) Completed(ctx context.Context, n push.Notification, c ledger.Counts) {
	o.publish(ctx, []wire.Event{o.event(wire.EventCompleted, string(n.ID), n.TraceParent, map[string]any{
		"id": n.ID, "tenant": n.Tenant, "labels": n.Labels, "recipients": c.Recipients, "by_code": codeCounts(&c),
		"possible_duplicates": c.PossibleDuplicates, "accepted_at": n.AcceptedAt, "completed_at": n.Progress.CompletedAt,
	})})
}

// BreakerChanged publishes that a credential's breaker moved.
func (o *Outcomes) BreakerChanged(ctx context.Context, credential, from, to string, at, until time.Time, cause push.Code) {
	o.publish(ctx, []wire.Event{o.event(wire.EventBreakerChanged, credential, "", map[string]any{
		"credential": credential, "from": from, "to": to, "at": at, "until": until, "cause": cause,
	})})
}

// chunkEvent tells a closed chunk's outcomes: counts, no recipient and no text.
func (o *Outcomes) chunkEvent(n *push.Notification, line *ledger.Line) wire.Event {
	c := line.Tally()
	return o.event(wire.EventOutcome, string(n.ID), n.TraceParent, map[string]any{
		"id": n.ID, "tenant": n.Tenant, "labels": n.Labels, "chunk": line.Ref.Seq, "recipients": c.Recipients,
		"by_code": codeCounts(&c), "possible_duplicates": c.PossibleDuplicates,
	})
}

func quarantinedEvents(o *Outcomes, devices []push.Device) []wire.Event {
	events := make([]wire.Event, 0, len(devices))
	for i := range devices {
		d := &devices[i]
		events = append(events, o.event(wire.EventDeviceQuarantined, string(d.ID), "", map[string]any{
			"device_id": d.ID, "tenant": d.Tenant, "user_id": d.UserID, "platform": d.Platform, "code": d.LastFailure, "at": d.QuarantinedAt,
		}))
	}
	return events
}

func (o *Outcomes) event(kind, subject, traceParent string, data map[string]any) wire.Event {
	body, err := json.Marshal(data)
	if err != nil {
		o.Log.Error("event not encoded", zap.String("type", kind), zap.Error(err))
	}
	return wire.Event{
		Source: o.Source, ID: string(push.NewID(push.PrefixEvent)), Type: kind, Subject: subject,
		Time: o.Now().UTC(), TraceParent: traceParent, Data: body,
	}
}

func (o *Outcomes) publish(ctx context.Context, events []wire.Event) {
	if len(events) == 0 {
		return
	}
	if err := o.Events.Publish(ctx, events); err != nil {
		o.Metrics.unpublished.Add(float64(len(events)))
		o.Log.Warn("events not published", zap.Int("events", len(events)), zap.Error(err))
	}
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

// share returns for how many of a line's recipients FCM told good addresses from
// dead ones, and how many it called dead, or invalid though the message was good
// for others. Both are counted once, when the line closes: counted at different
// times they would make no share, and a chunk that goes through several turns
// would raise the guard for nothing.
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
