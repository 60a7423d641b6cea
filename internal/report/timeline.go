package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// StepKind says what happened at a [Step].
type StepKind string

// The kinds of step, in the order in which they come first.
const (
	StepAccepted StepKind = "accepted" // the notification was durable
	StepStarted  StepKind = "started"  // the batch was started
	StepQueued   StepKind = "queued"   // the task to plan it was put on its queue
	StepExpanded StepKind = "expanded" // the recipient was given its place in a chunk
	StepTaken    StepKind = "taken"    // a worker took the chunk from its queue
	StepAttempt  StepKind = "attempt"  // FCM was asked and answered, or not
	StepReplayed StepKind = "replayed" // a replay reopened the dead-lettered delivery
	StepWaiting  StepKind = "waiting"  // there is no outcome yet
	StepOutcome  StepKind = "outcome"  // there is one
	StepEvent    StepKind = "event"    // the chunk was written whole, and its event went out
)

// Step is one thing that happened to a delivery.
type Step struct {
	Kind    StepKind
	At      time.Time     // zero where it was not recorded
	Attempt int           // of an attempt, from 1
	Code    push.Code     // of an attempt and an outcome
	Latency time.Duration // of an attempt
	Waited  time.Duration // of a chunk that was planned or taken: how long the message for that was on its queue; 0 if not known
	Replay  push.ID       // of a replay's
	Detail  string        // FCM's words, or what else is known; no token
}

// Timeline returns the steps of a delivery in order.
func (t *Trace) Timeline(d *Traced) []Step {
	n := &t.View.Notification
	steps := []Step{{Kind: StepAccepted, At: n.AcceptedAt}}
	if !n.Progress.StartedAt.IsZero() {
		steps = append(steps, Step{Kind: StepStarted, At: n.Progress.StartedAt})
	}
	steps = append(steps, d.planned()...)
	turn := -1
	for i := range d.Attempts {
		if a := &d.Attempts[i]; !a.Decided() {
			if took, ok := d.history.Took(d.Index, i); ok && a.Attempt > 0 && took.N != turn {
				turn = took.N
				steps = append(steps, Step{Kind: StepTaken, At: took.At, Waited: took.Queued, Detail: fmt.Sprintf("turn %d of the chunk", turn+1)})
			}
			steps = append(steps, stepOf(a))
		}
	}
	steps = append(steps, t.present(d))
	if d.State == ledger.StateClosed && d.Code != push.CodeOpen {
		steps = append(steps, Step{
			Kind: StepEvent, At: d.Saved, Detail: "the chunk was written with all its outcomes, then push.delivery.outcome.v1 went out",
		})
	}
	inOrder(steps)
	return steps
}

// Took is how long a delivery took: from the start of a batch, or from the acceptance of
// anything else, to the answer that decided it. It is 0 if there is no outcome, or none that
// an answer decided.
func (t *Trace) Took(d *Traced) time.Duration {
	at, why := d.decided()
	if d.Code == push.CodeOpen || why != byAnswer {
		return 0
	}
	return max(0, at.Sub(began(&t.View.Notification)))
}

// began is when the time of a notification's deliveries begins.
func began(n *push.Notification) time.Time {
	if !n.Progress.StartedAt.IsZero() {
		return n.Progress.StartedAt
	}
	return n.AcceptedAt
}

// planned returns the steps of a delivery's planning.
func (d *Traced) planned() []Step {
	expanded := Step{
		Kind: StepExpanded, At: d.history.PlannedAt, Waited: d.history.PlanQueued, Detail: fmt.Sprintf("chunk %d, row %d", d.Chunk, d.Index),
	}
	if d.Line > 0 {
		expanded.Detail += fmt.Sprintf(", line %d", d.Line)
	}
	if d.Claims == 0 {
		expanded.At = d.Saved // nobody wrote since
	}
	if expanded.Waited == 0 {
		return []Step{expanded}
	}
	return []Step{{Kind: StepQueued, At: expanded.At.Add(-expanded.Waited)}, expanded}
}

// inOrder mends what comes of times that are kept in milliseconds beside others that are not:
// a step is not told to be before the one that it follows by less than that.
func inOrder(steps []Step) {
	var last time.Time
	for i := range steps {
		at := &steps[i].At
		if at.IsZero() {
			continue
		}
		if early := last.Sub(*at); early > 0 && early <= time.Millisecond {
			*at = last
		}
		last = *at
	}
}

func stepOf(a *ledger.Attempt) Step {
	s := Step{Kind: StepAttempt, At: a.At, Attempt: a.Attempt, Code: a.Code, Latency: a.Latency, Detail: a.Detail}
	if id, ok := a.ReopenedBy(); ok {
		s.Kind, s.Replay = StepReplayed, id
	}
	return s
}

// present returns the step that the delivery is at.
func (t *Trace) present(d *Traced) Step {
	if d.Code == push.CodeOpen {
		detail := t.waiting(d)
		if w := t.View.Waiting; w != nil && w.Reason != WaitPaused && w.Reason != WaitRetry {
			detail += "; waiting: " + w.Text()
		}
		return Step{Kind: StepWaiting, Detail: detail}
	}
	s := Step{Kind: StepOutcome, Code: d.Code}
	saved := d.Saved.UTC().Format(time.RFC3339)
	switch at, why := d.decided(); why {
	case byAnswer:
		s.At = at
	case byUs:
		s.Detail = "decided without asking FCM, at the latest " + saved
		if a := d.Reason(); a != nil {
			s.At, s.Detail = a.At, "decided without asking FCM: "+a.Detail
		}
	case byLost:
		s.Detail = "FCM's answer was not kept; it came at the latest " + saved
	}
	if d.PossibleDuplicate {
		s.Detail = strings.TrimPrefix(s.Detail+"; an earlier attempt may have reached the device too", "; ")
	}
	return s
}

// decision is what an outcome rests on.
type decision uint8

const (
	byAnswer decision = iota // the last attempt on record
	byUs                     // a rule of ours
	byLost                   // an attempt that is not on record
)

// decided returns what the outcome rests on, and when an answer came.
func (d *Traced) decided() (time.Time, decision) {
	switch d.Code.Class() {
	case push.ClassSuppressed, push.ClassExpired, push.ClassCancelled:
		return time.Time{}, byUs
	case push.ClassSent, push.ClassAmbiguous, push.ClassPermanent, push.ClassDeadLettered, push.ClassOpen, push.ClassRetryable:
	}
	for i := len(d.Attempts) - 1; i >= 0; i-- {
		a := &d.Attempts[i]
		if a.Attempt > 0 && (a.Code == d.Code || d.Code == push.CodeUnknown || d.Code == push.CodeAttemptsExhausted) {
			return a.At, byAnswer
		}
	}
	// For these codes the message or its task was at fault, not this recipient.
	shared := []push.Code{
		push.CodePayloadInvalid, push.CodePayloadTooLarge, push.CodeUnexpandable, push.CodeUndecodable, push.CodePoison, push.CodeUndelivered,
	}
	if slices.Contains(shared, d.Code) {
		return time.Time{}, byUs
	}
	return time.Time{}, byLost
}

func (t *Trace) waiting(d *Traced) string {
	switch d.State {
	case ledger.StatePlanned:
		return "for a dispatcher to take its chunk"
	case ledger.StateClaimed:
		return "its chunk is being sent; checkpointed at " + d.Saved.UTC().Format(time.RFC3339)
	case ledger.StateWaiting:
		s := "its chunk is on the queue for the next attempt, since " + d.Saved.UTC().Format(time.RFC3339)
		if !d.Due.IsZero() {
			s += ", not before " + d.Due.UTC().Format(time.RFC3339)
		}
		return s
	case ledger.StateParked:
		return "the batch is paused; resume sends its chunk"
	case ledger.StateClosed:
	}
	return "its chunk is " + d.State.String()
}
