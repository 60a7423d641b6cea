package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// replay sends again what became dead letters, a tenth of it first, as an
// operator would once FCM is well, and returns how the batch stands then.
func (s *show) replay(ctx context.Context, batch client.Notification) (client.Notification, error) {
	s.say("\nWhat was given up waits as dead letters. A replay sends it again:\n")
	if err := s.drain(ctx); err != nil {
		return batch, err
	}
	groups, err := s.api.DeadLetterGroups(ctx, client.DeadLetterFilter{}, 0)
	if err != nil {
		return batch, fmt.Errorf("group dead letters: %w", err)
	}
	for i := range groups.Items {
		g := &groups.Items[i]
		s.say("%s dead letters of %s:\n  %s", progress.Group(g.Count), g.LastCode, g.Advice.Cause)
	}
	simulation, err := s.api.Simulate(ctx, client.SimulateRequest{Filter: client.DeadLetterFilter{Notification: batch.ID}})
	if err != nil {
		return batch, fmt.Errorf("simulate a replay: %w", err)
	}
	const canary, stopIfRefail = 0.1, 0.2
	run, err := s.api.StartReplay(ctx, client.ReplayRequest{
		Simulation: simulation.ID, Canary: canary, StopIfRefail: stopIfRefail, By: "belfry demo",
	})
	if err != nil {
		return batch, fmt.Errorf("start a replay: %w", err)
	}
	run, err = s.display.Replay(ctx, func(ctx context.Context) (client.Replay, error) { return s.api.Replay(ctx, run.ID) })
	if err != nil {
		return batch, fmt.Errorf("watch the replay: %w", err)
	}
	s.say("the replay %s: %s of %s letters sent, %s failed again", run.State, progress.Group(run.Sent), progress.Group(run.Total),
		progress.Group(run.Refailed))
	if run.State != client.ReplayCompleted || run.Refailed > 0 {
		return batch, errors.New("the replay did not do what was expected of it")
	}
	after, err := s.api.Batch(ctx, batch.ID)
	if err != nil {
		return batch, fmt.Errorf("look at the batch again: %w", err)
	}
	if after.Counts == nil {
		return after, errors.New("the batch has no counts")
	}
	return after, s.counts("How the batch stands now:", after.Counts)
}

// drain moves the dead letters from their queues into the store, as dlq-replayer
// drain does.
func (s *show) drain(ctx context.Context) error {
	room, stop, err := deadletters.OpenLetters(ctx, s.store(), s.log)
	if err != nil {
		return fmt.Errorf("open the dead letters: %w", err)
	}
	d, err := room.Drain(ctx)
	if err = errors.Join(err, stop(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("drain the dead letters: %w", err)
	}
	s.say("%s messages drained into the store of dead letters", progress.Group(d.Messages))
	return nil
}
