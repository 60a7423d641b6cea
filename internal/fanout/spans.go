package fanout

import (
	"cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// span begins the span of a task, which goes on from it. Tasks that come again and again,
// to look whether a batch is done or may release its next chunks, have none: an hour of
// them would bury the rest.
func (f *Fanout) span(t *wire.Task, msg *worker.Message) *trace.Span {
	if f.cfg.Tracer == nil {
		return nil
	}
	t.TraceParent = cmp.Or(t.TraceParent, msg.TraceParent)
	if t.Op == wire.OpCheck || t.Op == wire.OpRelease {
		return nil
	}
	s := f.cfg.Tracer.Continue(trace.Consumer, trace.OpProcess+" "+push.QueueNotifications, t.TraceParent)
	t.TraceParent = s.TraceParent("")
	return s
}

// tell ends the span of a task.
func (f *Fanout) tell(s *trace.Span, t *wire.Task, v worker.Verdict) {
	if v.Code() != push.CodeOpen {
		s.Fail(v.Code().String())
	}
	if s.Kept() {
		s.Set(trace.Process(push.QueueNotifications)...)
		s.Set(trace.Text(trace.KeyNotification, string(t.Notification)), trace.Text(trace.KeyTask, string(t.Op)),
			trace.Text(trace.KeyVerdict, v.String()))
	}
	s.End()
}

// traceOf returns the traceparent that a chunk's message gets. The chunks of a batch are
// sent in traces of their own, each with a link to the batch's: a trace of a million
// requests is none that anybody, or anything, could look at.
func (f *Fanout) traceOf(t wire.Task, n *push.Notification, line *ledger.Line) string {
	if !n.ID.IsBatch() || f.cfg.Tracer == nil {
		return t.TraceParent
	}
	queue := push.DeliveryQueue(n.Lane())
	s := f.cfg.Tracer.Begin(trace.Producer, trace.OpCreate+" "+queue, trace.OfChunk(string(n.ID), line.Ref.Seq), t.TraceParent)
	if s.Kept() {
		s.Set(trace.Create(queue)...)
		s.Set(trace.Text(trace.KeyNotification, string(n.ID)), trace.Text(trace.KeyTenant, n.Tenant),
			trace.Number(trace.KeyChunk, int64(line.Ref.Seq)), trace.Number(trace.KeyRecipients, int64(line.OpenCount())))
	}
	s.End()
	return s.TraceParent("")
}
