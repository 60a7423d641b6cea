package janitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Found is what a round came upon.
type Found struct {
	Unfinished int // notifications on the list
	Asked      int // of them, that needed something
	Chunks     int // whose message was lost
	Expired    int // chunks that were still open past their deadline
	Pages      int // that nobody was going to plan
	Chains     int // of releases that had broken off
	Checks     int // notifications that were done, and not completed
	Replayed   int // chunks of replays whose message was lost
}

// Any tells whether anything was lost.
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

// ask sends the tasks and notes that in the notification: first the tasks, so
// that a crash in between only asks once more.
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
		if err := r.Tasks.Send(ctx, msgs[:max(n, 1)]); err != nil {
			return fmt.Errorf("send %d tasks: %w", n, err)
		}
		msgs = msgs[max(n, 1):]
	}
	if err := r.note(ctx, v, true); err != nil {
		return err
	}
	r.found.count(&a)
	r.Metrics.asked(&a)
	r.tell(ctx, v, &a)
	return nil
}

// note writes down that the notification was asked for, and ends an upload whose
// deadline is past.
func (r *round) note(ctx context.Context, v *view, asked bool) error {
	_, err := ledger.Advance(ctx, r.Ledger, v.n.ID, func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		if v.over {
			p.Early = false
		}
		if asked {
			p.ReconciledAt = r.Now().UTC().Truncate(time.Microsecond)
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

// tell publishes what was found of one notification: no address and no text.
func (r *round) tell(ctx context.Context, v *view, a *asks) {
	if r.Events == nil {
		return
	}
	body, err := json.Marshal(map[string]any{
		"id": v.n.ID, "tenant": v.n.Tenant, "labels": v.n.Labels, "state": v.n.Progress.State, "quiet_since": v.last,
		"chunks": a.chunks, "recipients": a.recipients, "pages": a.unplanned, "expired": a.expire, "releases": a.release, "completes": a.check,
	})
	if err == nil {
		err = r.Events.Publish(ctx, []wire.Event{{
			Source: r.Source, ID: string(push.NewID(push.PrefixEvent)), Type: wire.EventReconciled, Subject: string(v.n.ID),
			Time: r.Now().UTC(), TraceParent: v.n.TraceParent, Data: body,
		}})
	}
	if err != nil {
		r.Log.Warn("event not published", zap.String("notification", string(v.n.ID)), zap.Error(err))
	}
}
