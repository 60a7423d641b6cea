package worker

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Verdict is how the handling of a message ended. Its zero value leaves the
// message alone, so that a forgotten verdict loses nothing: the message comes
// back when its visibility lapses.
type Verdict struct {
	kind   kind
	after  time.Duration
	body   []byte
	code   push.Code
	detail string
	to     string           // of kindPass: the queue
	letter *push.DeadLetter // that the message came back in; it dies as that again
}

type kind uint8

const (
	kindLeave kind = iota
	kindAck
	kindRetry
	kindDead
	kindHandBack
	kindDeadLetter
	kindPass
)

// Ack says that the message is done with: it is deleted.
func Ack() Verdict { return Verdict{kind: kindAck} }

// Leave says that somebody else answers for the message now: it is neither
// deleted nor kept invisible.
func Leave() Verdict { return Verdict{} }

// HandBack says that the message was not worked on: it becomes visible at once.
// The receive still counts towards the queue's redrive, so it is for shutdown only.
func HandBack() Verdict { return Verdict{kind: kindHandBack} }

// RetryAfter says that the message is to come again after a wait: the body,
// or the same bytes when it is nil, is sent as a new message with that delay
// (capped at [MaxDelay]), then this one is deleted. Waiting this way never
// counts as a failed receive.
func RetryAfter(wait time.Duration, body []byte) Verdict {
	return Verdict{kind: kindRetry, after: min(max(wait, 0), MaxDelay), body: body}
}

// Dead says that the message can't be handled, ever: it is put on the
// dead-letter queue with its story, byte for byte, then deleted. detail must
// hold no token.
func Dead(code push.Code, detail string) Verdict {
	return Verdict{kind: kindDead, code: code, detail: detail}
}

// deadLetter says that the message is a dead letter that somebody moved off its queue:
// it is put back on the dead-letter queue, unchanged.
func deadLetter() Verdict { return Verdict{kind: kindDeadLetter} }

// pass says that the message belongs on another queue: it is sent there,
// unchanged, then deleted here.
func pass(queue string) Verdict { return Verdict{kind: kindPass, to: queue} }

// Wait returns for how long the message is to wait: of [RetryAfter] only.
func (v Verdict) Wait() time.Duration { return v.after }

// Body returns the bytes that come in the place of the message's own, nil for the
// same: of [RetryAfter] only.
func (v Verdict) Body() []byte { return v.body }

// Code returns why the message can't be handled: of [Dead] only, otherwise
// push.CodeOpen.
func (v Verdict) Code() push.Code { return v.code }

// Detail returns the evidence of [Dead], "" of any other.
func (v Verdict) Detail() string { return v.detail }

// unread reports whether the handler could make nothing of the message.
func (v Verdict) unread() bool { return v.kind == kindDead && v.code == push.CodeUndecodable }

// String returns the verdict's word for logs and metrics.
func (v Verdict) String() string {
	switch v.kind {
	case kindAck:
		return "ack"
	case kindRetry:
		return "retry"
	case kindDead:
		return "dead"
	case kindHandBack:
		return "hand_back"
	case kindDeadLetter:
		return "put_back"
	case kindPass:
		return "pass_on"
	case kindLeave:
	}
	return "leave"
}
