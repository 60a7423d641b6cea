package deliver

import (
	"cmp"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/trace"
	"github.com/belfry-push/belfry/internal/worker"
)

// spans tell of turns: one span a turn, and below it a few of its requests to FCM. What a
// turn leaves, a hand-back or a dead letter, goes on from its span.
type spans struct {
	tracer *trace.Tracer
	queue  string
	now    func() time.Time
}

func newSpans(cfg *Config) spans {
	return spans{tracer: cfg.Tracer, queue: push.DeliveryQueue(cfg.Lane), now: cfg.Now}
}

// begin begins a turn's span.
func (s *spans) begin(j *job, msg *worker.Message) {
	j.traceParent = cmp.Or(j.traceParent, msg.TraceParent)
	if s.tracer == nil {
		return
	}
	j.span = s.tracer.Continue(trace.Consumer, trace.OpProcess+" "+s.queue, j.traceParent)
	j.asked = j.span.Few()
}

// end ends it. What a span says is gathered only if somebody will see it.
func (s *spans) end(j *job, v worker.Verdict) {
	if v.Code() != push.CodeOpen { // the whole message is dead
		j.span.Fail(v.Code().String())
	}
	if j.span.Kept() {
		c := &j.chunk
		j.span.Set(trace.Process(s.queue)...)
		j.span.Set(
			trace.Text(trace.KeyNotification, string(c.Ref.Notification)), trace.Text(trace.KeyTenant, c.Tenant),
			trace.Number(trace.KeyChunk, int64(c.Ref.Seq)), trace.Number(trace.KeyRecipients, int64(len(c.Recipients))),
			trace.Number(trace.KeyAttempt, int64(c.Attempt)), trace.Number(trace.KeyTurn, int64(c.Turn)),
			trace.Number(trace.KeyReceives, int64(j.receives)), trace.Text(trace.KeyVerdict, v.String()),
		)
		if c.Replay != "" {
			j.span.Set(trace.Text(trace.KeyReplay, string(c.Replay)))
		}
	}
	j.asked.End()
	j.span.End()
}

// fcmCall is the name of a request to FCM: the path without a project.
const fcmCall = "POST projects/{project}/messages:send"

// told tells of a request to FCM that was answered, or was not.
func (j *job) told(row int, code push.Code, sentAt time.Time, took time.Duration) {
	if j.asked == nil {
		return
	}
	result := resultOf(code)
	if result == trace.Well && took >= slowRequest {
		result = trace.Slow
	}
	j.asked.Add(trace.Client, fcmCall, sentAt, took, result, code.String(), func() []trace.Attr {
		return []trace.Attr{
			trace.Text(trace.KeyMethod, "POST"), trace.Text(trace.KeyCode, code.String()),
			trace.Number(trace.KeyAttempt, int64(j.chunk.AttemptOf(row))), trace.Number(trace.KeyRow, int64(j.chunk.Index[row])),
		}
	})
}

// slowRequest is from how long on a request to FCM is kept although it went well: far beyond
// what FCM takes on a good day, a fraction of a second.
const slowRequest = 5 * time.Second

// resultOf says whether an answer is a reason to keep a trace. What FCM refuses for good is
// one only now and then: devices go away every day.
func resultOf(code push.Code) trace.Result {
	switch code.Class() {
	case push.ClassSent:
		return trace.Well
	case push.ClassPermanent:
		return trace.Refused
	case push.ClassOpen, push.ClassRetryable, push.ClassAmbiguous, push.ClassDeadLettered,
		push.ClassSuppressed, push.ClassExpired, push.ClassCancelled:
	}
	return trace.Failed
}

// traced is the notification with the turn's position in place of its request's, for events
// that tell of the turn: they belong to its trace, if somebody sees that.
func (j *job) traced(n *push.Notification) *push.Notification {
	if !j.span.Kept() {
		return n
	}
	c := *n
	c.TraceParent = j.position()
	return &c
}
