// Package worker is how every service consumes a queue: it polls, keeps
// messages invisible while they are handled, bounds how many are in hand, turns
// a handler's verdict into delete, re-send or dead letter, and drains on
// request. It knows nothing of what the messages mean.
package worker

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
)

// Limits that every queue driver keeps; they are SQS's
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
const (
	MaxBatch      = 10               // messages per call
	MaxBodyBytes  = wire.MaxMessage  // per message and per call
	MaxDelay      = 15 * time.Minute // of a new message
	MaxVisibility = 12 * time.Hour   // in total, from the receive
	MaxWait       = 20 * time.Second // of one long poll
)

// Outgoing is a message to be sent.
type Outgoing struct {
	Body  []byte        // ASCII, at most MaxBodyBytes; see CheckBody
	Group string        // fairness group, the tenant; at most MaxGroupBytes visible ASCII characters, "" is a group of its own
	Delay time.Duration // 0..MaxDelay, whole seconds; the message is invisible that long
}

// Message is a received message. It stays invisible to others until its
// visibility timeout lapses.
type Message struct {
	ID       string // assigned by the queue
	Receipt  string // of this receive; needed to delete or extend
	Body     []byte
	Group    string // "" where the queue does not return it
	Receives int    // how often it was received, this one included, also from the queue that gave it up
	SentAt   time.Time
	// TraceParent is the W3C traceparent that came beside the body; "" if none did. One inside the
	// body is closer to whoever sent it, and wins.
	TraceParent string
	// Letter is the dead letter that the message came back in, by the redrive of a
	// dead-letter queue; nil of one that came as it was sent. The worker sets it.
	Letter *push.DeadLetter
}

// about is what lines of the log about the message say of it.
func (m *Message) about() zap.Field { return about.Message(m.ID, m.Group, m.Body, m.TraceParent) }

// Sink takes messages.
type Sink interface {
	// Send stores up to MaxBatch messages durably. A nil error means all of them;
	// a [*BatchError] says which were refused, the others are stored.
	Send(ctx context.Context, msgs []Outgoing) error
}

// Queue is one queue with SQS semantics: at least once, in no promised order,
// fair between groups. Implementations are safe for concurrent use.
type Queue interface {
	Sink
	// Receive returns up to limit (1..MaxBatch) messages, waiting up to wait for
	// the first one; none is not an error. Each becomes invisible for the queue's
	// visibility timeout. A cancelled ctx ends the wait.
	Receive(ctx context.Context, limit int, wait time.Duration) ([]Message, error)
	// Delete removes up to MaxBatch received messages; deleting twice is fine.
	Delete(ctx context.Context, msgs []Message) error
	// Extend sets when up to MaxBatch received messages become visible again,
	// counted from now; 0 hands them back at once. A message whose receipt is no
	// longer valid is reported in a *BatchError with push.ErrNotFound.
	Extend(ctx context.Context, msgs []Message, visibility time.Duration) error
}

// Depth is how full a queue is. Numbers may be approximate.
type Depth struct {
	Visible   int64
	InFlight  int64
	Delayed   int64
	OldestAge time.Duration // age of the oldest visible message; 0 when none
}

// Gauge tells a queue's depth, for metrics and readiness.
type Gauge interface {
	Depth(ctx context.Context) (Depth, error)
}

// BatchError reports the messages of a batch that failed, by position.
type BatchError struct {
	Failed map[int]error
}

// Error implements error.
func (e *BatchError) Error() string {
	for _, err := range e.Failed {
		return "part of the batch failed: " + err.Error()
	}
	return "part of the batch failed"
}

// Unwrap returns the causes.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		errs = append(errs, err)
	}
	return errs
}
