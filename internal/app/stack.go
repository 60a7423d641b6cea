package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Stack stops what was started, in reverse, by name, each in bounded time.
// Register the stop on the line after the start.
type Stack struct {
	log   *zap.Logger
	mu    sync.Mutex
	stops []namedStop
}

// NewStack returns a stack with nothing on it.
func NewStack(log *zap.Logger) *Stack { return &Stack{log: log} }

type namedStop struct {
	name  string
	grace time.Duration
	stop  func(ctx context.Context) error
}

// OnStop registers a stop that may take up to grace.
func (s *Stack) OnStop(name string, grace time.Duration, stop func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = append(s.stops, namedStop{name, grace, stop})
}

// Background runs f until the stack unwinds to here; f must return soon after
// its ctx ends.
func (s *Stack) Background(ctx context.Context, name string, grace time.Duration, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(ctx)
	}()
	s.OnStop(name, grace, func(ctx context.Context) error {
		cancel()
		return WaitFor(ctx, ended)
	})
}

// WaitFor waits for something to end, until ctx does.
func WaitFor(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unwind stops everything, whether or not ctx has ended. It returns all errors,
// each with its name.
func (s *Stack) Unwind(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	stops := s.stops
	s.stops = nil
	s.mu.Unlock()
	var errs []error
	for _, st := range slices.Backward(stops) {
		begun := time.Now()
		stopping, cancel := context.WithTimeout(ctx, st.grace)
		err := st.stop(stopping)
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", st.name, err))
		}
		s.log.Debug("stopped", zap.String("part", st.name), zap.Duration("took", time.Since(begun)), zap.Error(err))
	}
	return errors.Join(errs...)
}
