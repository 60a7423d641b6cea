package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/worker"
)

// Overview is what the status is assembled from.
type Overview struct {
	Reports *report.Reader
	Replays *replay.Room // nil: there are none
	Pauses  *pause.Pauses
	// Overrides are the operators' overrides of breakers.
	Overrides *override.Room
	Budget    time.Duration // of one answer; 0 is the room's
	Sums      time.Duration // as of [status.Config]
}

// NewStatus returns the room of the status on an open backend. Close it before that.
func NewStatus(b *Backend, o Overview, now func() time.Time) *status.Room {
	cfg := status.Config{
		Docs: b.Store, Ledger: b.Store, Causes: b.Store, Standings: standings{o.Reports}, Replays: openReplays{o.Replays},
		Pauses: standingPauses{o.Pauses}, Overrides: standingOverrides{o.Overrides}, Queues: map[string]worker.Gauge{},
		Backend: "embedded", Disk: b.Disk, Now: now, Budget: o.Budget, Sums: o.Sums,
	}
	if b.Embedded == nil {
		cfg.Backend = "aws"
	}
	for _, dead := range []bool{false, true} {
		for _, name := range push.Queues() {
			if dead {
				name = push.DeadLetterQueue(name)
			}
			cfg.Queues[name] = b.Queues[name]
			cfg.Order = append(cfg.Order, name)
		}
	}
	return status.New(cfg)
}

// standings implement [status.Standings].
type standings struct{ reports *report.Reader }

// Standing implements [status.Standings].
func (s standings) Standing(ctx context.Context, n *push.Notification) (status.Running, error) {
	v, err := s.reports.Standing(ctx, n)
	if err != nil {
		return status.Running{}, err
	}
	w := status.Running{
		ID: string(n.ID), Tenant: n.Tenant, App: n.AppName(), State: string(v.State), Title: message.Title(n.Message),
		Priority: string(n.Priority), Lane: n.Lane(), Labels: n.Labels, AcceptedAt: n.AcceptedAt, Sources: n.Progress.Sources,
		Accepted: v.Accepted, Open: v.Open, Counted: true,
	}
	if v.Waiting != nil {
		w.Reason, w.Waiting, w.Until = string(v.Waiting.Reason), v.Waiting.Text(), v.Waiting.Until
		w.Credential = v.Waiting.Credential
	}
	return w, nil
}

// openReplays implement [status.Replays].
type openReplays struct{ room *replay.Room }

// Replays implements [status.Replays]. It reads all replays that are kept, since nothing but their ids is indexed: one
// document each.
func (o openReplays) Replays(ctx context.Context) ([]status.Replay, error) {
	const page = 1000
	if o.room == nil {
		return nil, nil
	}
	var open []status.Replay
	for cursor := ""; ; {
		runs, next, err := o.room.Runs(ctx, cursor, page)
		if err != nil {
			return nil, err
		}
		for i := range runs {
			run := &runs[i]
			if run.State.Final() {
				continue
			}
			open = append(open, status.Replay{
				ID: string(run.ID), State: string(run.State), Phase: string(run.Phase), By: run.By, Why: run.Why, Total: run.Total,
				CreatedAt: run.CreatedAt, Tenant: run.Filter.Tenant,
			})
		}
		if cursor = next; cursor == "" {
			return open, nil
		}
	}
}

// standingPauses implement [status.Pauses].
type standingPauses struct{ room *pause.Pauses }

// Pauses implements [status.Pauses].
func (s standingPauses) Pauses(ctx context.Context) ([]status.Pause, error) {
	all, err := s.room.All(ctx)
	return pausesOf(all), err
}

// pausesOf says pauses in the words of the status.
func pausesOf(all []pause.Pause) []status.Pause {
	out := make([]status.Pause, 0, len(all))
	for i := range all {
		p := &all[i]
		out = append(out, status.Pause{
			ID: string(p.ID), What: p.What(), Scope: string(p.Scope()), Tenant: p.Tenant, App: p.App, Lane: p.Lane, Label: p.Label,
			By: p.By, Reason: p.Reason, Since: p.Since,
		})
	}
	return out
}

// standingOverrides implement [status.Overrides].
type standingOverrides struct{ room *override.Room }

// Overrides implements [status.Overrides].
func (s standingOverrides) Overrides(ctx context.Context) (map[string]status.Override, error) {
	all, err := s.room.All(ctx)
	return overridesOf(all), err
}
