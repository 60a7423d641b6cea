package ingester

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/retention"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/usage"
)

// startRetention removes what is past its retention, from every process that accepts.
func startRetention(ctx context.Context, s *app.Service, keep config.Keep, kept *letters.Room, replays *replay.Room,
	used *usage.Room, log *app.AuditLog,
) {
	metrics := retention.NewMetrics(s.Reg)
	all := shared(s.Backend.Store, keep, replays)
	if keep.Audit > 0 {
		all = append(all, retention.Sweep{What: "audit_entry", Step: log.Trimmer(keep.Audit).Step})
	}
	if s.Backend.Embedded != nil {
		all = append(all, embedded(s.Backend.Embedded, keep, kept, used, metrics)...)
	} else {
		all = append(all, remote(s.Backend.Store, used, metrics))
	}
	room := retention.New(retention.Config{Sweeps: all, Log: s.Log, Metrics: metrics, Now: s.Now, Elapsed: s.Elapsed})
	const grace = 5 * time.Second
	s.Stack.Background(ctx, "retention", grace, room.Run)
}

// keepDays returns for how many days notifications are kept at most, 0 for ever.
func keepDays(b *app.Backend, keep config.Keep) int64 {
	const day = 24 * time.Hour
	if b.Kept > 0 {
		return int64(b.Kept / day)
	}
	return int64(keep.Notifications / day)
}

// most is how many rows, of a few hundred bytes, a transaction removes: milliseconds.
const most = 200

// shared are the sweeps of both backends.
func shared(store app.Store, keep config.Keep, replays *replay.Room) []retention.Sweep {
	all := []retention.Sweep{
		retention.Every("idempotency_key", most, store.PurgeExpired),
		retention.Every("quarantined_device", most, func(ctx context.Context, now time.Time, most int) (int, error) {
			return store.PurgeQuarantined(ctx, now.Add(-push.QuarantineKeep), most)
		}),
	}
	all = append(all, retention.Seldom(seldom, retention.Sweep{
		What: "told_event", Step: func(ctx context.Context, now time.Time) (int, bool, error) {
			n, err := tail.Forget(ctx, store, now.Add(-tail.Kept))
			return n, false, err
		},
	}))
	if keep.Replays > 0 {
		all = append(all, retention.Sweep{What: "replay", Step: func(ctx context.Context, now time.Time) (int, bool, error) {
			n, err := replays.Forget(ctx, now.Add(-keep.Replays))
			return n, false, err
		}})
	}
	return all
}

// embedded are the sweeps of a data directory, in the order in which one kind holds up another:
// letters keep notifications.
func embedded(e *app.Embedded, keep config.Keep, kept *letters.Room, used *usage.Room,
	metrics *retention.Metrics,
) []retention.Sweep {
	about := &retention.Letters{Store: e.Store}
	for _, q := range e.Dead {
		about.Dead = append(about.Dead, q)
	}
	settled := func(ctx context.Context) (bool, error) { return janitor.Settled(ctx, e.Store) }
	n := &retention.Notifications{Ledger: e.Store, Pages: e.Store, Letters: about, Usage: used, Keep: keep.Notifications, Metrics: metrics}
	all := []retention.Sweep{
		retention.Every("letter", most, func(ctx context.Context, _ time.Time, most int) (int, error) {
			return kept.PurgeDone(ctx, keep.Done, most)
		}),
		retention.While(settled, n.Sweep()),
	}
	if keep.Pages > 0 {
		p := &retention.Pages{Ledger: e.Store, Pages: e.Store, Letters: about, Keep: keep.Pages}
		all = append(all, retention.While(settled, p.Sweep()))
	}
	return all
}

const (
	// undrained is how long a message may be on a dead-letter queue of SQS, and some hours
	// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
	undrained = 15 * 24 * time.Hour
	// seldom is how often what may be removed is looked for where looking costs something: notifications on AWS, where each
	// number of days costs eight queries, and all of them a third of a thousandth of a dollar, and what processes told each other.
	seldom = time.Hour
)

// remote removes on AWS what tenants have kept for a shorter time than the tables' TTL.
func remote(store app.Store, used *usage.Room, metrics *retention.Metrics) retention.Sweep {
	n := &retention.Notifications{
		Ledger: store, Pages: &whole{store, map[push.ID]bool{}},
		Letters: &retention.Letters{Store: store, Hidden: undrained, Sums: store}, Usage: used, Metrics: metrics,
	}
	settled := func(ctx context.Context) (bool, error) { return janitor.Settled(ctx, store) }
	return retention.While(settled, retention.Seldom(seldom, n.Sweep()))
}

// whole removes all pages of a notification at once, and asks once: a listing of a bucket has its price, and large
// notifications are erased in many steps.
type whole struct {
	pages batch.Pages
	asked map[push.ID]bool
}

func (w *whole) RemovePages(ctx context.Context, id push.ID, _ int) (int, error) {
	const most = 1000
	if w.asked[id] {
		return 0, nil
	}
	if err := w.pages.DeletePages(ctx, id); err != nil {
		return 0, err
	}
	if len(w.asked) >= most {
		clear(w.asked)
	}
	w.asked[id] = true
	return 0, nil
}
