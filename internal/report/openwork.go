package report

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// OpenLedger says what is not finished.
type OpenLedger interface {
	// Unenqueued returns up to limit notifications in the outbox accepted before the given time, oldest first.
	Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error)
	// Unfinished lists the notifications that may have open recipients and were accepted before the given time, oldest
	// first.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)
	// Counts sums all lines of a notification: O(lines).
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// OpenWork keeps the gauges of what is open. They come from the ledger and not from the queues: what is paused, held, deferred
// or still in the outbox has no message that could be counted. It reads the index of what is not finished, and the lines of
// what is large, so finished notifications cost nothing, nor does a scrape.
type OpenWork struct {
	ledger  OpenLedger
	log     *zap.Logger
	metrics *OpenMetrics
	now     func() time.Time
	sums    map[push.ID]openSum // a pass's alone
}

// openSum is how far a large notification was, and until when that is good enough.
type openSum struct {
	progress

	version int64
	until   time.Time
}

// What the look costs: between two reads it rests for so many times what the first took, so it takes a twentieth of a core at
// the most, however much is open.
const (
	openEvery = 15 * time.Second // at least, between two passes
	openRest  = 19
	openPage  = 500
	// openFew is up to how many recipients a notification's are taken for open until it is finished.
	openFew = 100
	// openKeeps is for how long a sum is kept, for each recipient: five minutes for a million, whose lines cost 450 read
	// units on DynamoDB.
	openKeeps = 300 * time.Microsecond
)

// NewOpenWork returns the keeper of the gauges; nothing is read before Run.
func NewOpenWork(l OpenLedger, log *zap.Logger, metrics *OpenMetrics, now func() time.Time) *OpenWork {
	return &OpenWork{ledger: l, log: log, metrics: metrics, now: now, sums: map[push.ID]openSum{}}
}

// Run looks until ctx ends. While the ledger is away the gauges stay as they were: what waited then waits still.
func (o *OpenWork) Run(ctx context.Context) {
	var ailing telemetry.Ailing
	for {
		err := o.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			o.metrics.failures.Inc()
		}
		ailing.Note(o.log, "counting what is open", err)
		if !worker.Wait(ctx, openEvery) {
			return
		}
	}
}

// pass goes once over everything that is not finished.
func (o *OpenWork) pass(ctx context.Context) error {
	sum, before := newOpenSums(), o.now().Add(time.Minute) // of whatever clock
	begun := o.now()
	waiting, err := o.ledger.Unenqueued(ctx, before, openPage)
	if err != nil {
		return err
	}
	for i := range waiting {
		sum.add(openOutbox, &waiting[i], progress{unplanned: waiting[i].Progress.Sources})
	}
	kept := map[push.ID]openSum{}
	for cursor := ""; ; {
		heads, next, err := o.ledger.Unfinished(ctx, before, cursor, openPage)
		if err != nil {
			return err
		}
		for i := range heads {
			if !heads[i].Progress.Unfinished() {
				continue // the index is late
			}
			far, err := o.far(ctx, &heads[i], kept)
			if err != nil {
				return err
			}
			sum.add(openStateOf(&heads[i]), &heads[i], far)
		}
		if cursor = next; cursor == "" {
			break
		}
		o.metrics.soFar(sum)
		if !worker.Wait(ctx, openRest*o.now().Sub(begun)) {
			return ctx.Err()
		}
		begun = o.now()
	}
	o.sums = kept
	o.metrics.whole(sum, o.now())
	return nil
}

// far returns how far the recipients of a notification are. Those of one to few are all open.
func (o *OpenWork) far(ctx context.Context, n *push.Notification, kept map[push.ID]openSum) (progress, error) {
	if n.Progress.Sources <= openFew {
		return progress{open: n.Progress.Sources}, nil
	}
	if s, ok := o.sums[n.ID]; ok && s.version == n.Progress.Version && o.now().Before(s.until) {
		kept[n.ID] = s
		return s.progress, nil
	}
	c, err := o.ledger.Counts(ctx, n.ID)
	if err != nil {
		return progress{}, err
	}
	open := c.ByClass()[push.ClassOpen]
	s := openSum{
		progress: progress{unplanned: c.Unplanned(n.Progress.Sources), open: open, done: c.Recipients - open}, version: n.Progress.Version,
	}
	s.until = o.now().Add(time.Duration(n.Progress.Sources) * openKeeps)
	kept[n.ID] = s
	return s.progress, nil
}
