package letters

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

// lettersOf turns a message of a dead-letter queue into letters: one per recipient if
// deliver gave recipients up, otherwise one that holds the bytes. Their ids depend only on
// what died, so a message that comes twice makes the same letters, and two messages never
// make the same one. A letter that an older version wrapped again, after it was moved off
// its queue, is found inside, however deep. A message of a newer program is
// push.ErrNewerSchema: that version must drain it.
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

// bare makes a letter of a message without an envelope: the queue's own redrive moved it,
// because it was received too often, or somebody moved it from another queue.
func (r *Room) bare(ctx context.Context, queue string, m *worker.Message, c *wire.Content) ([]push.Letter, error) {
	d := push.DeadLetter{
		Queue: queue, ID: m.ID, Code: push.CodePoison, Body: m.Body, Group: m.Group, Receives: push.MaxReceives, SentAt: m.SentAt, At: r.now(),
		Software: r.cfg.Software, // most likely the one that could not handle it
		Detail:   fmt.Sprintf("received %d times without a verdict", push.MaxReceives),
	}
	if queue == push.QueueEvents && m.Receives <= push.MaxReceives {
		// What the redrive moved was received more often than that, here or there
		// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html,
		// ApproximateReceiveCount): this came by the subscription's redrive policy.
		d.Code, d.Receives, d.Software = push.CodeUndelivered, 0, ""
		d.Detail = "SNS could not deliver it to the queue " + push.QueueEvents +
			": more than ten message attributes, or the queue was gone or let SNS not in"
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

// recipients makes a letter of each recipient that deliver gave up.
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
			Kind: push.LetterRecipient, Tenant: c.Tenant, App: r.cfg.App, Queue: d.Queue, Code: d.Code, LastCode: u.Codes[i], Detail: u.Detail[i],
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

// message makes a letter of a whole message, with what its bytes say about its owner.
func (r *Room) message(ctx context.Context, d *push.DeadLetter) ([]push.Letter, error) {
	l := push.Letter{
		ID: messageLetterID(d), Kind: push.LetterMessage, Tenant: d.Group, App: r.cfg.App, Queue: d.Queue,
		Code: d.Code, Detail: d.Detail, Attempts: d.Receives, Cell: -1, Body: d.Body, Bytes: d.Bytes,
		AcceptedAt: d.SentAt, DeadAt: d.At, Software: d.Software,
	}
	if d.Bytes > 0 {
		l.Detail = strings.TrimPrefix(
			fmt.Sprintf("%s; the first %d of its %d bytes are kept, SHA-256 of all: %s", d.Detail, len(d.Body), d.Bytes, d.Sum), "; ")
	}
	switch m := wire.ReadMessage(d.Queue, d.Body); {
	case m.Chunk != nil:
		l.Notification, l.Seq, l.Turn, l.TraceParent = m.Chunk.Ref.Notification, m.Chunk.Ref.Seq, m.Chunk.Turn, m.TraceParent
		l.Tenant, l.Series, l.ReplayOf = m.Chunk.Tenant, m.Chunk.Series, m.Chunk.Replay
	case m.Task != nil:
		l.Notification, l.TraceParent = m.Task.Notification, m.Task.TraceParent
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

// messageLetterID returns an id that follows from the message, not from its bytes: a
// producer that sends the same bytes twice has two messages, and each needs a letter. A
// message's id and sending time stay the same when the queue's own redrive moves it.
// SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html.
// Time and bytes are part of the id, because the message ids of two installations may be
// the same small numbers, and letters are carried from one to the other.
func messageLetterID(d *push.DeadLetter) push.ID {
	sum := sha256.Sum256(d.Body)
	key := fmt.Sprintf("%s#%s#%d#%x", d.Queue, d.ID, d.SentAt.UnixMilli(), sum)
	return push.DerivedID(push.PrefixDeadLetter, "", key)
}

// park fills in the fields of a letter that is new in the store.
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
