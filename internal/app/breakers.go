package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

// kindBreaker is the kind of document that tells of a credential's breaker.
const kindBreaker = "breaker"

// breakers lets those who predict what a send would come to know of breakers
// that move in dispatchers: each writes its changes down. A credential has one
// document, and the latest change of any dispatcher stands: all of them see the
// same provider. One that died with its breaker open is believed until the time
// at which it would have probed. Safe for concurrent use.
type breakers struct {
	docs document.Store
	log  *zap.Logger
	mu   sync.Mutex // changes of one process are written one by one
}

// breakerNote is what was written down last.
type breakerNote struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Until time.Time `json:"until,omitzero"` // when it probes; zero unless open
}

// note writes a change down, unless a later one is. It is for predictions only:
// what fails is logged, and mended by the next change.
func (b *breakers) note(ctx context.Context, c guard.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const patience, tries = 5 * time.Second, 4
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := push.ErrConflict
	for try := 0; try < tries && errors.Is(err, push.ErrConflict); try++ {
		err = b.replace(ctx, c)
	}
	if err != nil {
		b.log.Warn("breaker not noted; simulations may not tell of it", zap.String("credential", c.Credential), zap.Error(err))
	}
}

func (b *breakers) replace(ctx context.Context, c guard.Change) error {
	stored, err := b.docs.Document(ctx, kindBreaker, c.Credential)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	var last breakerNote
	if err == nil && json.Unmarshal(stored.Body, &last) == nil && last.At.After(c.At) {
		return nil
	}
	body, err := json.Marshal(breakerNote{At: c.At.UTC(), State: c.To.String(), Until: c.Until.UTC()})
	if err != nil {
		return fmt.Errorf("write the note: %w", err)
	}
	return b.docs.PutDocument(ctx, document.Document{
		Kind: kindBreaker, Name: c.Credential, Version: stored.Version + 1, Body: body, UpdatedAt: c.At.UTC(),
	})
}

// OpenUntil implements replay.Breakers. An installation has one app, so any
// credential of it counts.
func (b *breakers) OpenUntil(ctx context.Context, _ string) (time.Time, error) {
	const most = 100 // credentials ever used
	docs, _, err := b.docs.Documents(ctx, kindBreaker, "", most)
	if err != nil {
		return time.Time{}, fmt.Errorf("list breakers: %w", err)
	}
	var until time.Time
	for i := range docs {
		var n breakerNote
		if err := json.Unmarshal(docs[i].Body, &n); err != nil {
			return time.Time{}, fmt.Errorf("breaker of %s: %w", docs[i].Name, err)
		}
		if n.Until.After(until) {
			until = n.Until
		}
	}
	return until, nil
}
