package wire

import (
	"fmt"
	"time"

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
	// OpRelease goes on with a batch that is planned step by step, because its
	// upload is under way or its sending is throttled. Each one sends the next.
	OpRelease Op = "release"
	// OpRecall sees to the end of one page whose messages may be lost: the chunks
	// that it names are sent anew if nobody has written their lines since. What is
	// past its time gets the outcome expired instead, a page that is not planned
	// yet included; what is cancelled, cancelled.
	OpRecall Op = "recall"
)

// AllPages is a task's page when it is about the whole notification.
const AllPages = -1

// Task is a message on the notifications queue.
type Task struct {
	Op           Op
	Notification push.ID
	Page         int // AllPages, or the one page to plan
	Turn         int // OpCheck, OpRelease: how often it was asked in vain, for the wait before the next
	TraceParent  string
	QueuedAt     time.Time // of one that came from the queue, by that; it is not sent

	// Of OpRelease: the next chunk of the page, the resume under which it began,
	// when that chunk is due, and behind which sequence (1 more than that, 0 for
	// none) the last step was, so that the next one sees whether it was taken.
	Chunk      int
	Generation int
	Due        time.Time // milliseconds
	Behind     int

	// Of OpRecall: the chunks of the page, ascending, and parallel to them the
	// epochs of their lines when they were found.
	Chunks []int
	Epochs []int64
}

type taskJSON struct {
	envelope
	Op           Op      `json:"op"`
	Notification push.ID `json:"notification"`
	Page         int     `json:"page"`
	Turn         int     `json:"turn,omitempty"`
	Chunk        int     `json:"chunk,omitempty"`
	Generation   int     `json:"generation,omitempty"`
	Due          int64   `json:"due,omitempty"` // Unix milliseconds
	Behind       int     `json:"behind,omitempty"`
	Chunks       []int   `json:"chunks,omitempty"`
	Epochs       []int64 `json:"epochs,omitempty"`
}

// EncodeTask returns the task as a queue message body.
func EncodeTask(t Task) ([]byte, error) {
	return encode(taskJSON{
		envelope: envelope{V: Version, Type: typeTask, TraceParent: t.TraceParent},
		Op:       t.Op, Notification: t.Notification, Page: t.Page, Turn: t.Turn,
		Chunk: t.Chunk, Generation: t.Generation, Due: millis(t.Due), Behind: t.Behind, Chunks: t.Chunks, Epochs: t.Epochs,
	})
}

// DecodeTask reads a queue message body.
func DecodeTask(data []byte) (Task, error) {
	var in taskJSON
	if err := decode(data, typeTask, &in, &in.envelope); err != nil {
		return Task{}, err
	}
	switch in.Op {
	case OpPlan, OpCancel, OpCheck, OpRelease, OpRecall:
	default:
		return Task{}, fmt.Errorf("%w: op is %q", ErrForeign, clip(string(in.Op)))
	}
	if _, err := push.ParseID(string(in.Notification), push.PrefixNotification, push.PrefixBatch); err != nil {
		return Task{}, fmt.Errorf("%w: notification: %w", ErrForeign, err)
	}
	if in.Page < AllPages || in.Turn < 0 {
		return Task{}, fmt.Errorf("%w: page %d, turn %d", ErrForeign, in.Page, in.Turn)
	}
	if in.Chunk < 0 || in.Generation < 0 || in.Due < 0 || in.Behind < 0 || in.Op == OpRelease && in.Page < 0 {
		return Task{}, fmt.Errorf("%w: release of page %d, chunk %d, generation %d, due %d, behind %d", ErrForeign, in.Page, in.Chunk,
			in.Generation, in.Due, in.Behind)
	}
	if err := in.checkRecall(); err != nil {
		return Task{}, err
	}
	return Task{
		Op: in.Op, Notification: in.Notification, Page: in.Page, Turn: in.Turn, TraceParent: in.TraceParent,
		Chunk: in.Chunk, Generation: in.Generation, Due: fromMillis(in.Due), Behind: in.Behind,
		Chunks: in.Chunks, Epochs: in.Epochs,
	}, nil
}

func (in *taskJSON) checkRecall() error {
	if in.Op == OpRecall && in.Page < 0 {
		return fmt.Errorf("%w: recall of page %d", ErrForeign, in.Page)
	}
	if len(in.Chunks) != len(in.Epochs) {
		return fmt.Errorf("%w: %d chunks and %d epochs", ErrForeign, len(in.Chunks), len(in.Epochs))
	}
	last := -1
	for _, c := range in.Chunks {
		if c <= last || c >= push.ChunksPerPage {
			return fmt.Errorf("%w: chunk %d after %d: must ascend and stay below %d", ErrForeign, c, last, push.ChunksPerPage)
		}
		last = c
	}
	return nil
}
