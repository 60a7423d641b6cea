package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/replay"
)

// replaysGrace is what a stop may take: letters in hand are finished within a
// minute.
const replaysGrace = time.Minute + 5*time.Second

// startReplays opens the dead letters for the API and executes replays beside it:
// those that were started over HTTP, and those whose process died.
func (s *service) startReplays(ctx context.Context) (*letters.Room, *replay.Room, error) {
	kept, err := newLetters(s.backend, letters.Retention{}, s.reg, s.log)
	if err != nil {
		return nil, nil, err
	}
	replays, err := newReplays(s.backend, kept, s.reg, s.log)
	if err != nil {
		return nil, nil, err
	}
	s.execute(ctx, replays)
	return kept, replays, nil
}

func (s *service) execute(ctx context.Context, room *replay.Room) {
	s.stack.background(ctx, "replays", replaysGrace, room.Execute)
}
