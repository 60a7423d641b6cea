// Package about is how a line of the log says what it is about: one field that becomes the
// keys by which the lines of one notification, and those of one tenant, are found. Whoever
// writes such a line takes the field from here, so that none lacks a key.
//
// A field costs an allocation until its line is written. No key names a recipient.
package about

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
)

// subject is what a line is about; what is "" has no key.
type subject struct {
	notification push.ID
	chunk        *push.ChunkRef
	letter       push.ID
	replay       push.ID
	messageID    string
	tenant       string
	traceParent  string
	body         []byte // of a queue's message, for its traceparent
}

// Notification is for a line about a notification or a batch: its id, tenant and trace.
func Notification(n *push.Notification) zap.Field { return Named(n.ID, n.Tenant, n.TraceParent) }

// Named is for a line about a notification of which no more is known than this.
func Named(id push.ID, tenant, traceParent string) zap.Field {
	return zap.Inline(&subject{notification: id, tenant: tenant, traceParent: traceParent})
}

// Chunk is for a line about a chunk, or a recipient of it, in the trace in which it is sent.
// The chunk is read when the line is written.
func Chunk(c *push.Chunk, traceParent string) zap.Field {
	return zap.Inline(&subject{
		notification: c.Ref.Notification, chunk: &c.Ref, replay: c.Replay, tenant: c.Tenant, traceParent: traceParent,
	})
}

// Letter is for a line about a dead letter.
func Letter(l *push.Letter) zap.Field {
	return zap.Inline(&subject{letter: l.ID, notification: l.Notification, tenant: l.Tenant, traceParent: l.TraceParent})
}

// Replay is for a line about a replay. Its tenant is "" if it takes the letters of all; it
// has no trace of its own.
func Replay(id push.ID, tenant string) zap.Field {
	return zap.Inline(&subject{replay: id, tenant: tenant})
}

// Message is for a line about a message of a queue: its id, the tenant for whom it was sent,
// and the trace that its body or, beside that, the queue names.
func Message(id, tenant string, body []byte, beside string) zap.Field {
	return zap.Inline(&subject{messageID: id, tenant: tenant, body: body, traceParent: beside})
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (s *subject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	add := func(f zap.Field, there bool) {
		if there {
			f.AddTo(enc)
		}
	}
	add(zap.String("notification", string(s.notification)), s.notification != "")
	if s.chunk != nil {
		zap.Stringer("chunk", s.chunk).AddTo(enc)
	}
	add(zap.String("letter", string(s.letter)), s.letter != "")
	add(zap.String("replay", string(s.replay)), s.replay != "")
	add(zap.String("message_id", s.messageID), s.messageID != "")
	add(zap.String("tenant", s.tenant), s.tenant != "")
	trace := s.traceParent
	if inner := wire.TraceParentOf(s.body); inner != "" {
		trace = inner
	}
	telemetry.TraceID(trace).AddTo(enc)
	return nil
}
