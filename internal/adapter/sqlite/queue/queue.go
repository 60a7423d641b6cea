package queue

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/worker"
)

// Config is what SQS keeps as a queue's attributes. Processes that open
// the same queue should agree on it; each applies its own.
type Config struct {
	// Visibility is how long a received message stays invisible to others:
	// more than 0, at most worker.MaxVisibility. 0 means SQS's default, 30 s.
	Visibility time.Duration
	// MaxReceives is how often a message may be received before the receive that
	// would be one more moves it to DeadLetterQueue, 1..1000. 0 means no limit.
	MaxReceives int
	// DeadLetterQueue is the name of that queue; required with MaxReceives.
	DeadLetterQueue string
	// Now is the wall clock; nil means time.Now. It says when a message was sent.
	Now func() time.Time
	// Elapsed is the monotonic clock by which messages come due, nil for this
	// process's. A Now that moves against it is a clock that was set.
	Elapsed func() time.Duration
}

const (
	defaultVisibility = 30 * time.Second
	maxMaxReceives    = 1000 // as SQS's maxReceiveCount
)

// Queue is one queue in queue.db with the semantics of an SQS standard queue,
// but without its retention: a message stays until it is deleted, however old,
// because no trim may ever discard work. Dead letters too wait for ever.
//
// Groups are served in rotation, one message of each, so that a group's wait
// does not depend on how many messages another one has. Within a group the
// oldest visible message comes first, though no order is promised.
//
// It implements worker.Queue and worker.Gauge and is safe for concurrent use,
// by several processes too.
type Queue struct {
	db    *db.DB
	watch *Watch
	bell  *bell // of this queue
	dead  *bell // of the dead-letter queue, nil without one
	id    int64
	name  string
	cfg   Config
	time  *timeline

	// cursor is the group served last. Only the writer's goroutine touches it.
	cursor string
}

var (
	_ worker.Queue = (*Queue)(nil)
	_ worker.Gauge = (*Queue)(nil)
)

// queueName is what SQS allows, minus the ".fifo" of another kind of queue.
var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// withDefaults fills the gaps and checks the rest.
func (c Config) withDefaults(name string) (Config, error) {
	if c.Visibility == 0 {
		c.Visibility = defaultVisibility
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Elapsed == nil {
		c.Elapsed = clock.Start()
	}
	switch {
	case !queueName.MatchString(name):
		return c, fmt.Errorf("queue name: must be 1..80 letters, digits, - and _ (got %q)", name)
	case c.Visibility < 0 || c.Visibility > worker.MaxVisibility:
		return c, fmt.Errorf("queue %s: visibility: must be above 0 and at most %v (got %v)", name, worker.MaxVisibility, c.Visibility)
	case c.MaxReceives < 0 || c.MaxReceives > maxMaxReceives:
		return c, fmt.Errorf("queue %s: max receives: must be 0..%d (got %d)", name, maxMaxReceives, c.MaxReceives)
	case (c.MaxReceives > 0) != (c.DeadLetterQueue != ""):
		return c, fmt.Errorf("queue %s: max receives (%d) and dead-letter queue (%q) go together", name, c.MaxReceives, c.DeadLetterQueue)
	case c.DeadLetterQueue == name:
		return c, fmt.Errorf("queue %s: cannot be its own dead-letter queue", name)
	case c.DeadLetterQueue != "" && !queueName.MatchString(c.DeadLetterQueue):
		return c, fmt.Errorf("queue %s: dead-letter queue: must be 1..80 letters, digits, - and _ (got %q)", name, c.DeadLetterQueue)
	}
	return c, nil
}

// Open opens the queue of that name in the watched file, and its dead-letter queue, making them if need be.
func Open(ctx context.Context, w *Watch, name string, cfg Config) (*Queue, error) {
	cfg, err := cfg.withDefaults(name)
	if err != nil {
		return nil, err
	}
	var id, dead int64
	t := &timeline{now: cfg.Now, elapsed: cfg.Elapsed}
	err = w.db.Write(ctx, func(tx *sql.Tx) (err error) {
		if id, err = queueID(ctx, tx, name); err != nil {
			return err
		}
		dead = 0
		if cfg.DeadLetterQueue != "" {
			if dead, err = queueID(ctx, tx, cfg.DeadLetterQueue); err != nil {
				return err
			}
		}
		return t.open(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", name, err)
	}
	q := &Queue{db: w.db, watch: w, id: id, name: name, cfg: cfg, time: t, bell: w.bell(id)}
	if dead != 0 {
		q.dead = w.bell(dead)
	}
	return q, nil
}

// queueID finds or makes the queue with that name.
func queueID(ctx context.Context, tx *sql.Tx, name string) (id int64, err error) {
	if _, err := tx.ExecContext(ctx, `INSERT INTO queue (name) VALUES (?) ON CONFLICT DO NOTHING`, name); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT id FROM queue WHERE name = ?`, name).Scan(&id)
	return id, err
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// fail says in which queue and doing what an error came up.
func (q *Queue) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("queue %s: %s: %w", q.name, op, err)
}
