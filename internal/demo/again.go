package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

const (
	// againRecipients at againPace a second is half a minute, so that whoever looks at the console sees it move.
	againRecipients = 3000
	againPace       = 100
	// againSick is of how many recipients one is given up.
	againSick = 50
	// againBefore is how long a batch goes well, againOutage how long FCM is down then, and againRest the pause behind it all.
	againBefore = 8 * time.Second
	againOutage = 6 * time.Second
	againRest   = 10 * time.Second
	// againLook is the time between two looks at something that runs.
	againLook = time.Second
)

// again goes on for whoever looks at the console, until ctx ends or something fails: batch after batch, each with an outage of FCM,
// and a replay of what was given up meanwhile.
func (s *show) again(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		err := s.round(ctx, n)
		if err == nil {
			err = rest(ctx, againRest)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (s *show) round(ctx context.Context, n int) error {
	batch, err := s.api.CreateBatch(ctx, client.Request{
		Message: json.RawMessage(message), Priority: "bulk", Throttle: &client.Throttle{PerSecond: againPace},
	})
	if err != nil {
		return fmt.Errorf("create a batch: %w", err)
	}
	var lines strings.Builder
	for i := range againRecipients {
		kind := "again"
		if i%againSick == 0 {
			kind = fmt.Sprintf("sim-unavailable-%d", attempts) // given up, and sent by the replay
		}
		_, _ = fmt.Fprintf(&lines, "{\"token\":\"%s-%d-%d\"}\n", kind, n, i)
	}
	if _, err := s.api.UploadRecipients(ctx, batch.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		return fmt.Errorf("upload recipients: %w", err)
	}
	if _, err := s.api.StartBatch(ctx, batch.ID); err != nil {
		return fmt.Errorf("start the batch: %w", err)
	}
	if err := rest(ctx, againBefore); err != nil {
		return err
	}
	if err := s.sim.outage(ctx, againOutage); err != nil {
		return fmt.Errorf("break FCM: %w", err)
	}
	for !batch.State.Final() {
		if err := rest(ctx, againLook); err != nil {
			return err
		}
		if batch, err = s.api.Batch(ctx, batch.ID); err != nil {
			return fmt.Errorf("look at the batch: %w", err)
		}
	}
	if _, err := s.api.DrainDeadLetters(ctx); err != nil {
		return fmt.Errorf("drain the dead letters: %w", err)
	}
	filter := client.DeadLetterFilter{Notification: batch.ID}
	if groups, err := s.api.DeadLetterGroups(ctx, filter, 0); err != nil || len(groups.Items) == 0 {
		return err // what nobody gave up cannot be replayed
	}
	simulation, err := s.api.Simulate(ctx, client.SimulateRequest{Filter: filter})
	if err != nil {
		return fmt.Errorf("simulate a replay: %w", err)
	}
	run, err := s.api.StartReplay(ctx, client.ReplayRequest{Simulation: simulation.ID, By: "belfry demo"})
	for err == nil && run.State == client.ReplayRunning {
		if err = rest(ctx, againLook); err == nil {
			run, err = s.api.Replay(ctx, run.ID)
		}
	}
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	s.say("another batch with an outage: %s sent, %s given up and replayed", progress.Group(batch.Counts.Sent),
		progress.Group(simulation.Total))
	return nil
}

// rest waits, or returns why it need not.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
