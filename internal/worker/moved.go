package worker

import (
	"cmp"
	"context"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// moved handles a message that its handler can't read, because Belfry may have
// written it for another queue. SQS's redrive, or an operator at the console, moves
// messages unchanged from a dead-letter queue to any queue. A message of Belfry's is
// never wrapped again as foreign, since that would hide its content.
//
//   - A dead letter that holds a message of this queue is handled like that message
//     (it is the same letter again if it dies again).
//   - A dead letter that only a replay may send again, because its recipients have
//     their outcome, goes back to the dead-letter queue as it is; so does one of
//     another queue, of a newer program, or of which only the beginning was kept.
//   - A message that belongs on another queue goes there as it is.
//
// The ledger decides which recipients are still sent to, as for every copy of a
// message.
func (w *Worker) moved(ctx context.Context, msg Message, unread Verdict) Verdict {
	c, err := wire.Contents(msg.Body)
	home := c.Queue()
	here := push.Interchangeable(home, w.cfg.Name)
	switch {
	case err != nil: // of a newer program
		return w.route(msg, deadLetter(), w.cfg.Name)
	case c.Letter != nil && (c.Kind == wire.KindUndelivered || c.Letter.Bytes > 0 || home != "" && !here):
		return w.route(msg, deadLetter(), home)
	case c.Letter != nil, c.Wrapped && here:
		return w.again(ctx, msg, &c)
	case home == "" || here:
		return unread
	case w.cfg.Homes[home] == nil:
		return w.route(msg, deadLetter(), home)
	}
	return w.route(msg, pass(home), home)
}

// route says what happens to a message that is not for this queue.
func (w *Worker) route(msg Message, v Verdict, home string) Verdict {
	w.log.Warn("a message of ours that does not belong here; it stays as it is",
		zap.Stringer("verdict", v), msg.about(), zap.String("home", home))
	return v
}

// again handles what is in a message.
func (w *Worker) again(ctx context.Context, msg Message, c *wire.Content) Verdict {
	inner := msg
	inner.Body, inner.Letter = c.Body, c.Letter
	if c.Letter != nil {
		inner.ID, inner.Group, inner.SentAt = cmp.Or(c.Letter.ID, msg.ID), cmp.Or(c.Letter.Group, msg.Group), c.Letter.SentAt
		w.log.Info("a dead letter was moved back to its queue; handling it again",
			msg.about(), zap.String("died_as", inner.ID), zap.Stringer("code", c.Letter.Code))
	}
	v := w.handler.Handle(ctx, inner, w.draining)
	v.letter = c.Letter
	return v
}
