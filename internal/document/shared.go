package document

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Shared is one small document that every process has in memory: each reads it all the time, and changes it by
// compare-and-swap. While the store is away a process keeps to what it read last. Nobody changes a value that was handed out.
// Safe for concurrent use.
type Shared[T any] struct {
	docs       Store
	kind, name string
	now        func() time.Time
	prepare    func(*T)

	learning sync.Mutex // one at a time replaces known
	known    atomic.Pointer[known[T]]
}

// known is the document as a process knows it.
type known[T any] struct {
	value   T
	version int64
	moved   chan struct{} // closed when it is known no more
}

// NewShared returns the document of a kind and name, of which nothing is known until Read or Run has looked. prepare, unless it
// is nil, is called once for each value before Known returns it: it may fill in what is not stored, for those who look often.
func NewShared[T any](docs Store, kind, name string, now func() time.Time, prepare func(*T)) *Shared[T] {
	if prepare == nil {
		prepare = func(*T) {}
	}
	s := &Shared[T]{docs: docs, kind: kind, name: name, now: now, prepare: prepare}
	first := &known[T]{moved: make(chan struct{})}
	prepare(&first.value)
	s.known.Store(first)
	return s
}

// Known returns the document as this process knows it, and a channel that is closed when that changes. It costs a few
// nanoseconds.
func (s *Shared[T]) Known() (*T, <-chan struct{}) {
	k := s.known.Load()
	return &k.value, k.moved
}

// Stored returns the document as it is stored now; one that is absent is T's zero value.
func (s *Shared[T]) Stored(ctx context.Context) (T, error) {
	v, _, err := s.load(ctx)
	return v, err
}

func (s *Shared[T]) load(ctx context.Context) (T, int64, error) {
	var v T
	version, err := Load(ctx, s.docs, s.kind, s.name, &v)
	if errors.Is(err, push.ErrNotFound) {
		err = nil
	}
	return v, version, err
}

// Change applies f to the document until nobody else writes it in between. f may be called several times; its error ends the
// change, and nothing is written.
func (s *Shared[T]) Change(ctx context.Context, f func(*T) error) error {
	const tries = 10
	err := push.ErrConflict
	for try := 0; try < tries && errors.Is(err, push.ErrConflict); try++ {
		v, version, failed := s.load(ctx)
		if failed != nil {
			return failed
		}
		if failed := f(&v); failed != nil {
			return failed
		}
		if err = Save(ctx, s.docs, s.kind, s.name, version+1, v, s.now()); err == nil {
			s.learn(v, version+1)
		}
	}
	return err
}

// readPatience bounds one reading, so that a store that hangs is asked again.
const readPatience = 2 * time.Second

// Read looks at the store now.
func (s *Shared[T]) Read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	v, version, err := s.load(ctx)
	if err == nil {
		s.learn(v, version)
	}
	return err
}

// learn takes a document over, unless a later one is known: a reading may end after a change that began later.
func (s *Shared[T]) learn(v T, version int64) {
	s.learning.Lock()
	defer s.learning.Unlock()
	old := s.known.Load()
	if version <= old.version {
		return
	}
	s.prepare(&v)
	s.known.Store(&known[T]{value: v, version: version, moved: make(chan struct{})})
	close(old.moved)
}

// Run reads the document so often, until ctx ends. away hears of the first reading that fails, and with nil of the first that
// succeeds again.
func (s *Shared[T]) Run(ctx context.Context, every time.Duration, away func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		err := s.Read(ctx)
		if ctx.Err() != nil {
			return
		}
		if failing != (err != nil) {
			failing = err != nil
			away(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
