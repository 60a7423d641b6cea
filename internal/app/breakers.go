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

// How long a note of a breaker that is not closed is believed, and how often it is
// renewed by a dispatcher that lives.
const (
	noteBelieved = 2 * time.Minute
	noteEvery    = 30 * time.Second
)

// breakers lets those who predict what a send would come to know of breakers
// that move in dispatchers: each writes its changes down. A credential has one
// document, and the latest change of any dispatcher stands: all of them see the
// same provider. One that died with its breaker open is believed for two minutes
// more. Safe for concurrent use.
type breakers struct {
	docs document.Store
	log  *zap.Logger
	now  func() time.Time
	mu   sync.Mutex // changes of one process are written one by one
}

// breakerNote is what was written down last.
type breakerNote struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"` // it holds sends back; zero if it is closed
}

// note writes down how a breaker stands, unless something later is. It is for
// predictions only: what fails is logged, and mended by the next note.
func (b *breakers) note(ctx context.Context, credential string, n breakerNote) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const patience, tries = 5 * time.Second, 4
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := push.ErrConflict
	for try := 0; try < tries && errors.Is(err, push.ErrConflict); try++ {
		err = b.replace(ctx, credential, n)
	}
	if err != nil {
		b.log.Warn("breaker not noted; simulations may not tell of it", zap.String("credential", credential), zap.Error(err))
	}
}

func (b *breakers) replace(ctx context.Context, credential string, n breakerNote) error {
	stored, err := b.docs.Document(ctx, kindBreaker, credential)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	var last breakerNote
	if err == nil && json.Unmarshal(stored.Body, &last) == nil && last.At.After(n.At) {
		return nil
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the note: %w", err)
	}
	return b.docs.PutDocument(ctx, document.Document{
		Kind: kindBreaker, Name: credential, Version: stored.Version + 1, Body: body, UpdatedAt: n.At.UTC(),
	})
}

// OpenSince implements replay.Breakers. An installation has one app, so any
// credential of it counts.
func (b *breakers) OpenSince(ctx context.Context, _ string) (time.Time, error) {
	const most = 100 // credentials ever used
	docs, _, err := b.docs.Documents(ctx, kindBreaker, "", most)
	if err != nil {
		return time.Time{}, fmt.Errorf("list breakers: %w", err)
	}
	var since time.Time
	for i := range docs {
		var n breakerNote
		if err := json.Unmarshal(docs[i].Body, &n); err != nil {
			return time.Time{}, fmt.Errorf("breaker of %s: %w", docs[i].Name, err)
		}
		if !n.Since.IsZero() && b.now().Sub(n.At) < noteBelieved && (since.IsZero() || n.Since.Before(since)) {
			since = n.Since
		}
	}
	return since, nil
}

// news tells of the breaker's changes, in their order and off the senders'
// goroutines, since telling may be a network call; and shows now and then that a
// breaker is still open.
type news struct {
	notes   *breakers
	publish func(ctx context.Context, c guard.Change)
	now     func() time.Time

	mu    sync.Mutex
	queue []guard.Change
	ring  chan struct{} // holds one

	since map[string]time.Time // by credential: not closed; run's alone
}

func newNews(notes *breakers, now func() time.Time, publish func(ctx context.Context, c guard.Change)) *news {
	return &news{notes: notes, publish: publish, now: now, ring: make(chan struct{}, 1), since: map[string]time.Time{}}
}

// tell returns at once.
func (n *news) tell(c guard.Change) {
	n.mu.Lock()
	n.queue = append(n.queue, c)
	n.mu.Unlock()
	select {
	case n.ring <- struct{}{}:
	default: // it rings already
	}
}

// looker is a guard. Looking at it moves a breaker whose time has come.
type looker interface{ State() guard.State }

// run works until ctx ends, and then tells what is left.
func (n *news) run(ctx context.Context, g looker) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.tellAll(context.WithoutCancel(ctx))
			return
		case <-n.ring:
			n.tellAll(ctx)
		case <-tick.C:
			g.State()
			for credential, since := range n.since {
				n.notes.note(ctx, credential, breakerNote{At: n.now().UTC(), State: guard.BreakerOpen.String(), Since: since})
			}
		}
	}
}

func (n *news) tellAll(ctx context.Context) {
	n.mu.Lock()
	queue := n.queue
	n.queue = nil
	n.mu.Unlock()
	for _, c := range queue {
		switch {
		case c.To == guard.BreakerClosed:
			delete(n.since, c.Credential)
		case c.From == guard.BreakerClosed:
			n.since[c.Credential] = c.At.UTC()
		}
		n.notes.note(ctx, c.Credential, breakerNote{At: c.At.UTC(), State: c.To.String(), Since: n.since[c.Credential]})
		n.publish(ctx, c)
	}
}
