package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// LetterStore is the part of the letter store that tells what letters are about.
type LetterStore interface {
	// HasLetters reports whether a letter of the notification is stored, in whatever state.
	HasLetters(ctx context.Context, id push.ID) (bool, error)
}

// DeadQueue is a dead-letter queue, as who does not take from it sees it.
type DeadQueue interface {
	// Peek calls visit with the bodies of up to limit messages, in no particular order, and
	// returns how many there were. Nothing changes for who receives them.
	Peek(ctx context.Context, limit int, visit func(body []byte)) (int, error)
}

// Sums tells what became of deliveries.
type Sums interface {
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// Letters knows which notifications dead letters are about, those on the dead-letter queues
// included: what was drained from there must find its notification.
type Letters struct {
	Store LetterStore
	Dead  []DeadQueue
	// Hidden is for how long messages stay on dead-letter queues that nobody can look into; 0: there are none.
	// Until a notification has rested for as long, one that gave somebody up, as Sums tell, may have a letter there.
	Hidden time.Duration
	Sums   Sums

	read  bool
	named map[push.ID]bool // by messages on dead-letter queues
	all   bool             // they may be about anything
}

// mostDead is how many messages of each dead-letter queue are looked at, some seconds' work;
// if there are more, or one of ours cannot be read, they may be about anything.
const mostDead = 100_000

// forget has the queues read anew.
func (l *Letters) forget() { l.read, l.named, l.all = false, nil, false }

// about returns why a notification is needed, "" if no letter is about it.
//
// The queues are read before the store is asked: what is drained in between is in both.
func (l *Letters) about(ctx context.Context, id push.ID) (string, error) {
	if !l.read {
		if err := l.readQueues(ctx); err != nil {
			return "", err
		}
	}
	if l.all || l.named[id] {
		return keptUndrained, nil
	}
	has, err := l.Store.HasLetters(ctx, id)
	if err != nil || !has {
		return "", err
	}
	return keptLetter, nil
}

// mayNeed returns why a notification is needed, or may be for all that is known, "" if no letter is about it.
func (l *Letters) mayNeed(ctx context.Context, a *ledger.Aged, now time.Time) (string, error) {
	if a.LastChange().Before(now.Add(-l.Hidden)) {
		return l.about(ctx, a.ID)
	}
	if a.Progress.State == push.StateDeadLettered {
		return keptUndrained, nil
	}
	sums, err := l.Sums.Counts(ctx, a.ID)
	if err != nil {
		return "", err
	}
	if sums.ByClass()[push.ClassDeadLettered] > 0 {
		return keptUndrained, nil
	}
	return l.about(ctx, a.ID)
}

func (l *Letters) readQueues(ctx context.Context) error {
	l.forget()
	l.named = map[push.ID]bool{}
	for _, q := range l.Dead {
		n, err := q.Peek(ctx, mostDead, func(body []byte) {
			id, known := subject(body)
			if l.all = l.all || !known; id != "" {
				l.named[id] = true
			}
		})
		if err != nil {
			return fmt.Errorf("look at what is not drained: %w", err)
		}
		l.all = l.all || n >= mostDead
	}
	l.read = true
	return nil
}

// subject returns the notification that a message is about, "" for none. known is false for one
// of ours that cannot be read.
func subject(body []byte) (id push.ID, known bool) {
	c, err := wire.Contents(body)
	if err != nil {
		return "", false
	}
	if c.Undelivered != nil {
		return c.Undelivered.Chunk.Ref.Notification, true
	}
	switch m := wire.ReadMessage(c.Queue(), c.Body); {
	case m.Chunk != nil:
		return m.Chunk.Ref.Notification, true
	case m.Task != nil:
		return m.Task.Notification, true
	}
	return "", c.Kind != wire.KindChunk && c.Kind != wire.KindTask
}
