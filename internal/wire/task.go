package wire

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// Op is what fanout is asked to do with a notification.
type Op string

// The operations of a task.
const (
	// OpPlan turns the notification into chunks and sends those that are open.
	// It is repeatable, and serves resume and repair as well.
	OpPlan Op = "plan"
	// OpCancel gives every open recipient the outcome cancelled.
	OpCancel Op = "cancel"
	// OpCheck looks whether every delivery has its outcome, and completes.
	OpCheck Op = "check"
)

// AllPages is a task's page when it is about the whole notification.
const AllPages = -1

// Task is a message on the notifications queue.
type Task struct {
	Op           Op
	Notification push.ID
	Page         int // AllPages, or the one page to plan
	Turn         int // OpCheck: how often it was asked, for the wait before the next
	TraceParent  string
}

type taskJSON struct {
	envelope
	Op           Op      `json:"op"`
	Notification push.ID `json:"notification"`
	Page         int     `json:"page"`
	Turn         int     `json:"turn,omitempty"`
}

// EncodeTask returns the task as a queue message body.
func EncodeTask(t Task) ([]byte, error) {
	return encode(taskJSON{
		envelope: envelope{V: Version, Type: typeTask, TraceParent: t.TraceParent},
		Op:       t.Op, Notification: t.Notification, Page: t.Page, Turn: t.Turn,
	})
}

// DecodeTask reads a queue message body.
func DecodeTask(data []byte) (Task, error) {
	var in taskJSON
	if err := decode(data, typeTask, &in, &in.envelope); err != nil {
		return Task{}, err
	}
	switch in.Op {
	case OpPlan, OpCancel, OpCheck:
	default:
		return Task{}, fmt.Errorf("%w: op is %q", ErrForeign, clip(string(in.Op)))
	}
	if _, err := push.ParseID(string(in.Notification), push.PrefixNotification, push.PrefixBatch); err != nil {
		return Task{}, fmt.Errorf("%w: notification: %w", ErrForeign, err)
	}
	if in.Page < AllPages || in.Turn < 0 {
		return Task{}, fmt.Errorf("%w: page %d, turn %d", ErrForeign, in.Page, in.Turn)
	}
	return Task{Op: in.Op, Notification: in.Notification, Page: in.Page, Turn: in.Turn, TraceParent: in.TraceParent}, nil
}
