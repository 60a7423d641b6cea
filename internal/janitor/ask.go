package janitor

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Found is what a round found.
type Found struct {
	Unfinished int // notifications on the list
	Held       int // of them, that wait for an operator
	Asked      int // of them, that needed something
	Chunks     int // whose message was lost
	Expired    int // chunks that were still open past their deadline
	Pages      int // that nobody was going to plan
	Chains     int // of releases that had broken off
	Checks     int // notifications that were done, and not completed
	Replayed   int // chunks of replays whose message was lost
}

// Any reports whether anything was lost.
func (f *Found) Any() bool { return f.Asked > 0 || f.Replayed > 0 }

func (f *Found) log(log *zap.Logger, lost time.Time) {
	fields := []zap.Field{
		zap.Int("notifications", f.Asked), zap.Int("chunks", f.Chunks), zap.Int("expired_chunks", f.Expired), zap.Int("pages", f.Pages),
		zap.Int("chains", f.Chains), zap.Int("checks", f.Checks), zap.Int("replayed_chunks", f.Replayed),
	}
	if !lost.IsZero() {
		fields = append(fields, zap.Time("lost_before", lost))
	}
	log.Warn("queue messages were lost; what they were about is sent anew or expires", fields...)
}

// ask sends the tasks, then notes that in the notification: in this order a crash in
// between only asks once more.
func (r *round) ask(ctx context.Context, v *view, a asks) error {
	msgs := make([]worker.Outgoing, len(a.tasks))
	for i := range a.tasks {
		body, err := wire.EncodeTask(a.tasks[i])
		if err != nil {
			return err
		}
		msgs[i] = worker.Outgoing{Body: body, Group: v.n.Tenant}
	}
	if v.over && v.n.Progress.Early {
		// Nothing of what may still be uploaded would be sent.
		if err := r.note(ctx, v, false); err != nil {
			return err
		}
	}
	for len(msgs) > 0 {
		n, size := 0, 0
		for n < len(msgs) && n < worker.MaxBatch && size+len(msgs[n].Body) <= worker.MaxBodyBytes {
			size += len(msgs[n].Body)
			n++
		}
		if err := r.cfg.Tasks.Send(ctx, msgs[:max(n, 1)]); err != nil {
			return fmt.Errorf("send %d tasks: %w", n, err)
		}
		msgs = msgs[max(n, 1):]
	}
	if err := r.note(ctx, v, true); err != nil {
		return err
	}
	r.found.count(&a)
	r.cfg.Metrics.asked(&a)
	r.tell(ctx, v, &a)
	return nil
}

// note records that fanout was asked about the notification, and ends an upload whose
// deadline is past.
func (r *round) note(ctx context.Context, v *view, asked bool) error {
	_, err := ledger.Advance(ctx, r.cfg.Ledger, v.n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if v.over {
			p.Early = false
		}
		if asked {
			p.ReconciledAt = r.cfg.Now().UTC().Truncate(time.Microsecond)
			if p.Reconciled++; v.moved {
				p.Reconciled = 1
			}
		}
		return p, nil
	})
	return err
}

func (f *Found) count(a *asks) {
	f.Asked++
	if a.expire {
		f.Expired += a.chunks
	} else {
		f.Chunks += a.chunks
	}
	f.Pages += a.unplanned
	if a.release {
		f.Chains++
	}
	if a.check {
		f.Checks++
	}
}

// tell publishes what was found about one notification: no address and no text.
func (r *round) tell(ctx context.Context, v *view, a *asks) {
	if r.cfg.Events == nil {
		return
	}
	e, err := wire.NewEvent(r.cfg.Source, string(v.n.ID), v.n.TraceParent, r.cfg.Now(), wire.Reconciled{
		ID: v.n.ID, Tenant: v.n.Tenant, App: v.n.AppName(), Labels: v.n.Labels, State: v.n.Progress.State, QuietSince: v.last,
		Chunks: a.chunks, Recipients: a.recipients, Pages: a.unplanned, Expired: a.expire, Releases: a.release, Completes: a.check,
	})
	if err == nil {
		err = r.cfg.Events.Publish(ctx, []wire.Event{e})
	}
	if err != nil {
		r.cfg.Log.Warn("event not published", about.Notification(v.n), zap.Error(err))
	}
}
