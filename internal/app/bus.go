package app

import (
	"context"
	"errors"
	"sync"

	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/wire"
)

// Bus hands outgoing events to subscribers inside the process: what SNS is on
// AWS. Safe for concurrent use.
type Bus struct {
	mu   sync.Mutex
	subs map[int]func(wire.Event)
	next int
}

var _ outcome.Publisher = (*Bus)(nil)

// NewBus returns a bus without subscribers.
func NewBus() *Bus { return &Bus{subs: map[int]func(wire.Event){}} }

// Subscribe calls f for every event from now on, on the publisher's goroutine:
// f must be quick. The returned function ends it.
func (b *Bus) Subscribe(f func(wire.Event)) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.next
	b.next++
	b.subs[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}
}

// Publish implements outcome.Publisher; it never fails.
func (b *Bus) Publish(_ context.Context, events []wire.Event) error {
	b.mu.Lock()
	subs := make([]func(wire.Event), 0, len(b.subs))
	for _, f := range b.subs {
		subs = append(subs, f)
	}
	b.mu.Unlock()
	for _, e := range events {
		for _, f := range subs {
			f(e)
		}
	}
	return nil
}

// tee publishes to several, whichever fail.
type tee []outcome.Publisher

// Publish implements outcome.Publisher.
func (t tee) Publish(ctx context.Context, events []wire.Event) error {
	errs := make([]error, 0, len(t))
	for _, p := range t {
		errs = append(errs, p.Publish(ctx, events))
	}
	return errors.Join(errs...)
}
