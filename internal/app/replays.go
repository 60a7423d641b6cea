package app

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi"
	"github.com/belfry-push/belfry/internal/replay"
)

// replaysGrace is what a stop may take: letters in hand are finished within a
// minute.
const replaysGrace = time.Minute + 5*time.Second

// startReplays opens the dead letters for the API and executes replays beside it:
// those that were started over HTTP, and those whose process died. It returns nil
// for a backend without a dead-letter store.
func (s *service) startReplays(ctx context.Context) (httpapi.DeadLetters, error) {
	room, err := newReplay(s.backend, s.reg, s.log)
	if errors.Is(err, errNoLetters) {
		s.log.Warn("the API has no dead letters", zap.Error(err))
		return nil, nil //nolint:nilnil // the API knows what none means
	}
	if err != nil {
		return nil, err
	}
	s.execute(ctx, room)
	return room, nil
}

func (s *service) execute(ctx context.Context, room *replay.Room) {
	s.stack.background(ctx, "replays", replaysGrace, room.Execute)
}
