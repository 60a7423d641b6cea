package replay

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// lettersOf turns a message of a dead-letter queue into letters: one per
// recipient when deliver gave recipients up, else one that holds the bytes.
// Their ids depend on nothing but what died, so that a message that comes twice
// makes the same letters, and two messages never one, whatever they say. A letter
// that was moved off its queue and wrapped again by a program that did not know
// better is found inside, however deep. A message of a newer program is
// push.ErrNewerSchema: its own version must drain it.
func (r *Room) lettersOf(ctx context.Context, queue string, m *worker.Message) ([]push.Letter, error) {
	c, err := wire.Contents(m.Body)
	if err != nil {
		return nil, err
	}
	if c.Letter == nil {
		return r.bare(ctx, queue, m, &c)
	}
	d := c.Letter
	if d.Queue == "" {
		d.Queue = queue
	}
	if credible, err := r.credible(ctx, queue, &c); err != nil || !credible {
		return r.claimed(ctx, queue, m, &c, err)
	}
	if c.Kind == wire.KindUndelivered {
		return r.recipients(ctx, d, c.Undelivered, c.TraceParent)
	}
	// The id on the dead-letter queue is that of the envelope: the same original
	// given up twice must not become two letters.
	if d.ID == "" {
		d.ID = "envelope " + m.ID // of an older program
	}
	return r.message(ctx, d)
}

// bare makes a letter of a message that the queue's own redrive moved: it was
// received too often. Or somebody put it there that belongs on another queue.
func (r *Room) bare(ctx context.Context, queue string, m *worker.Message, c *wire.Content) ([]push.Letter, error) {
	d := push.DeadLetter{
		Queue: queue, ID: m.ID, Code: push.CodePoison, Body: m.Body, Group: m.Group, Receives: push.MaxReceives, SentAt: m.SentAt, At: r.now(),
		Software: r.Software, // most likely the one that could not handle it
		Detail:   fmt.Sprintf("received %d times without a verdict", push.MaxReceives),
	}
	home := c.Queue()
	if home == "" || push.Interchangeable(home, queue) {
		return r.message(ctx, &d)
	}
	if credible, err := r.credible(ctx, queue, c); err != nil || !credible {
		return r.claimed(ctx, queue, m, c, err)
	}
	d.Queue, d.Code, d.Receives, d.Software = home, push.CodeUndecodable, m.Receives, ""
	d.Detail = fmt.Sprintf("this %s was moved to the queue %s, which has no use for it; a replay brings it to %s", c.Kind, queue, home)
	return r.message(ctx, &d)
}

// recipients splits what deliver gave up.
func (r *Room) recipients(ctx context.Context, d *push.DeadLetter, u *wire.Undelivered, traceParent string) ([]push.Letter, error) {
	c := &u.Chunk
	s, err := r.heads.of(ctx, c.Ref.Notification)
	if err != nil {
		return nil, err
	}
	if s.acceptedAt.IsZero() {
		s.acceptedAt = d.SentAt
	}
	if traceParent == "" {
		traceParent = s.traceParent
	}
	letters := make([]push.Letter, len(c.Recipients))
	for i := range c.Recipients {
		l := push.Letter{
			Kind: push.LetterRecipient, Tenant: c.Tenant, App: r.App, Queue: d.Queue, Code: d.Code, LastCode: u.Codes[i], Detail: u.Detail[i],
			Attempts: c.AttemptOf(i), Series: c.Series, ReplayOf: c.Replay,
			Notification: c.Ref.Notification, Seq: c.Ref.Seq, Cell: c.Index[i], Turn: c.Turn, Recipient: c.Recipients[i],
			AcceptedAt: s.acceptedAt, DeadAt: d.At, TraceParent: traceParent, Software: d.Software, Labels: s.labels,
		}
		// A cell dies once in a turn: a replay raises the line's turn.
		key := fmt.Sprintf("%s#%d#%d#%d", l.Notification, l.Seq, l.Cell, l.Turn)
		l.ID = push.DerivedID(push.PrefixDeadLetter, l.Tenant, key)
		if i > 0 && l.Detail == letters[i-1].Detail && l.LastCode == letters[i-1].LastCode {
			l.Template, l.Pattern, l.Fingerprint = letters[i-1].Template, letters[i-1].Pattern, letters[i-1].Fingerprint
		} else {
			classify(&l)
		}
		r.park(&l)
		letters[i] = l
	}
	return letters, nil
}

// message makes a letter of a whole message, with what can be told from its
// bytes about whose it is.
func (r *Room) message(ctx context.Context, d *push.DeadLetter) ([]push.Letter, error) {
	l := push.Letter{
		ID: messageLetterID(d), Kind: push.LetterMessage, Tenant: d.Group, App: r.App, Queue: d.Queue,
		Code: d.Code, Detail: d.Detail, Attempts: d.Receives, Cell: -1, Body: d.Body, Bytes: d.Bytes,
		AcceptedAt: d.SentAt, DeadAt: d.At, Software: d.Software,
	}
	if d.Bytes > 0 {
		l.Detail = strings.TrimPrefix(fmt.Sprintf("%s; the first %d of its %d bytes are kept, SHA-256 of all: %s", d.Detail, len(d.Body), d.Bytes, d.Sum), "; ")
	}
	switch content := readMessage(d.Queue, d.Body); {
	case content.chunk != nil:
		l.Notification, l.Seq, l.Turn, l.TraceParent = content.chunk.Ref.Notification, content.chunk.Ref.Seq, content.chunk.Turn, content.traceParent
		l.Tenant, l.Series, l.ReplayOf = content.chunk.Tenant, content.chunk.Series, content.chunk.Replay
	case content.task != nil:
		l.Notification, l.TraceParent = content.task.Notification, content.task.TraceParent
	}
	s, err := r.heads.of(ctx, l.Notification)
	if err != nil {
		return nil, err
	}
	l.Labels = s.labels
	if l.TraceParent == "" {
		l.TraceParent = s.traceParent
	}
	if l.Tenant == "" {
		l.Tenant = s.tenant
	}
	if !s.acceptedAt.IsZero() {
		l.AcceptedAt = s.acceptedAt
	}
	classify(&l)
	r.park(&l)
	return []push.Letter{l}, nil
}

// messageLetterID follows the message, not its bytes: a producer that sends the
// same bytes twice has two messages, and each is to be accounted for. Its id and
// the time when it was sent stay the same when the queue's own redrive moves it.
// SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html.
// The time and the bytes tell messages of two installations apart, whose ids may
// be small numbers, when letters are carried from one to the other.
func messageLetterID(d *push.DeadLetter) push.ID {
	sum := sha256.Sum256(d.Body)
	key := fmt.Sprintf("%s#%s#%d#%x", d.Queue, d.ID, d.SentAt.UnixMilli(), sum)
	return push.DerivedID(push.PrefixDeadLetter, "", key)
}

// park fills in how a letter begins its life in the store.
func (r *Room) park(l *push.Letter) {
	l.State, l.Version, l.StoredAt = push.LetterParked, 1, r.now()
	l.AcceptedAt, l.DeadAt = stored(l.AcceptedAt), stored(l.DeadAt)
}

// stored cuts a time to the precision that every store keeps.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// content is what a queue message says, as far as it can be read.
type content struct {
	chunk       *push.Chunk
	task        *wire.Task
	traceParent string
}

// readMessage reads a message of a source queue.
func readMessage(queue string, body []byte) content {
	switch queue {
	case push.QueueHigh, push.QueueBulk, push.QueueReplay:
		if c, traceParent, err := wire.DecodeChunk(body); err == nil {
			return content{chunk: &c, traceParent: traceParent}
		}
	case push.QueueNotifications:
		if t, err := wire.DecodeTask(body); err == nil {
			return content{task: &t, traceParent: t.TraceParent}
		}
	}
	return content{}
}
