package status

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errPending says that a part has never been read to its end.
var errPending = errors.New("not known yet: it is still being read")

// section is one part of the status, which all who ask share: one reading at a time, whose result stands for a moment, and
// whose last result is told while the next takes long. Safe for concurrent use.
type section[T any] struct {
	// read reads it. It may tell what it has before it is done, for those whose budget ends.
	read func(ctx context.Context, tell func(T)) (T, error)

	mu     sync.Mutex
	value  T
	at     time.Time // when value was read; zero: never
	err    error     // of the last reading
	tried  time.Time // when that ended
	rest   time.Duration
	flight chan struct{}
}

// How long a section rests after a reading: ten times as long as that took, so that watching costs a tenth of what reading
// all the time would.
const (
	restTimes = 10
	restMost  = 30 * time.Second
)

// answer is what a section says.
type answer[T any] struct {
	value T
	at    time.Time
	err   error // why value is missing or old; nil if it is neither
}

// get returns the section, waiting for a reading until the budget is used up.
func (s *section[T]) get(ctx context.Context, r *Room, budget <-chan struct{}) answer[T] {
	s.mu.Lock()
	if now := r.cfg.Now(); s.flight == nil && (s.tried.IsZero() || now.Sub(s.tried) >= s.rest || now.Before(s.tried)) {
		s.flight = make(chan struct{})
		r.flights.Go(func() { s.run(r) })
	}
	flight := s.flight
	s.mu.Unlock()
	if flight != nil {
		select {
		case <-flight:
		case <-budget:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := answer[T]{s.value, s.at, s.err}
	if s.at.IsZero() && s.err == nil {
		a.err = errPending
	}
	if s.flight != nil && a.err == nil && r.cfg.Now().Sub(s.at) >= staleAfter {
		a.err = errPending
	}
	return a
}

func (s *section[T]) run(r *Room) {
	ctx, cancel := context.WithTimeout(r.ctx, readPatience)
	defer cancel()
	begun := r.elapsed()
	value, err := s.read(ctx, func(early T) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.value, s.at = early, r.cfg.Now()
	})
	took := r.elapsed() - begun
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.tried = err, r.cfg.Now()
	s.rest = max(r.cfg.Fresh, min(restTimes*took, restMost))
	if err == nil {
		s.value, s.at = value, s.tried
	}
	close(s.flight)
	s.flight = nil
}
