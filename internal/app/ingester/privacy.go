package ingester

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/privacy"
)

// startPrivacy takes privacy requests, and executes erasures: those of this process and those
// whose process died.
func startPrivacy(ctx context.Context, s *app.Service, kept *letters.Room) (*privacy.Room, error) {
	erased, keys, err := s.Tombstones(ctx)
	if err != nil {
		return nil, err
	}
	store := s.Backend.Store
	room := privacy.New(privacy.Config{
		Devices: store, Notifications: store, Chunks: store, Pages: store, Letters: store, Documents: store,
		Drain: func(ctx context.Context, most time.Duration) error {
			_, err := kept.DrainFor(ctx, most)
			return err
		},
		Keys: keys, Tombstones: erased, Owner: app.Owner(), Log: s.Log, Now: s.Now,
	})
	const grace = 10 * time.Second // a page of notifications in hand is finished or begun again
	s.Stack.Background(ctx, "privacy requests", grace, room.Execute)
	return room, nil
}
