package sharedrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Mark is how a bucket stood when somebody began to find out how many of its tokens are in use.
type Mark struct {
	Spent int64 // tokens that were taken and are not back, as far as the store was told: no more than were

	epoch string
	backs int64
}

// Mark reads how the bucket stands. A bucket that is not stored has all of its tokens.
func (b *Bucket) Mark(ctx context.Context) (Mark, error) {
	i, _, err := b.stands(ctx)
	if err != nil {
		return Mark{}, err
	}
	return Mark{Spent: i.spent(), epoch: i.Epoch, backs: i.Backs}, nil
}

// stands reads the bucket and carries it on to now: what a process that died had leased is over at its time, also if nobody
// has written the bucket since. How long it is ago that a bucket was written is not known when it is read for the first time.
func (b *Bucket) stands(ctx context.Context) (i item, version int64, err error) {
	version, err = document.Load(ctx, b.set.cfg.Documents, Kind, b.name, &i)
	if errors.Is(err, push.ErrNotFound) {
		return newItem("", *b.limit.Load()), 0, nil
	}
	if err != nil {
		return i, version, err
	}
	now := b.set.elapsed()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.marked.sync(&i, now)
	i.advance(max(i.At, b.marked.time(now)), *b.limit.Load())
	return i, version, nil
}

// spent returns the tokens that are neither there nor leased.
func (i *item) spent() int64 { return max(0, (i.room()-i.Level)/micro) }

// Restore puts n tokens back that were taken before the mark, whoever took them; unless somebody has done so since,
// who may have meant the same tokens: that is push.ErrConflict. It is for tokens that are used for a while rather than up.
func (b *Bucket) Restore(ctx context.Context, m Mark, n int64) error {
	for try := range changes {
		i, version, err := b.stands(ctx)
		if err != nil {
			return err
		}
		if version == 0 || i.Epoch != m.epoch || i.Backs != m.backs {
			return fmt.Errorf("%s: somebody else put tokens back: %w", b.name, push.ErrConflict)
		}
		i.Level = min(i.Level+n*micro, i.room())
		i.Backs++
		err = document.Save(ctx, b.set.cfg.Documents, Kind, b.name, version+1, i, time.Now())
		if !errors.Is(err, push.ErrConflict) {
			return err
		}
		most := time.Duration(try+1) * 4 * time.Millisecond
		if !worker.Wait(ctx, rand.N(most)) { //nolint:gosec // jitter
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s: others changed it %d times: %w", b.name, changes, push.ErrConflict)
}
