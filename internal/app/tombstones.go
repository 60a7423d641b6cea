package app

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/privacy"
)

// Tombstones returns the list of who is erased, with its keys: one for all roles of a process,
// read for the first time here and kept current until the service stops.
func (s *Service) Tombstones(ctx context.Context) (*privacy.Tombstones, *privacy.Keys, error) {
	if s.tombstones != nil {
		return s.tombstones, s.keys, nil
	}
	keys, err := privacy.LoadKeys(ctx, s.Backend.Store, s.Now())
	if err != nil {
		return nil, nil, err
	}
	list := privacy.NewTombstones(s.Backend.Store, keys, s.Log, s.Now)
	if err := list.Current(ctx); err != nil {
		return nil, nil, err
	}
	s.Stack.Background(ctx, "tombstones", time.Second, list.Run)
	s.tombstones, s.keys = list, keys
	return list, keys, nil
}
