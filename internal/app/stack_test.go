package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// TestStackUnwinds: in reverse, all of it whatever fails, each error by name, and
// though the service's own context has ended.
func TestStackUnwinds(t *testing.T) {
	t.Parallel()
	s := NewStack(zap.NewNop())
	away := errors.New("it is away")
	var order []string
	for _, name := range []string{"backend", "worker", "API"} {
		s.OnStop(name, time.Second, func(ctx context.Context) error {
			order = append(order, name)
			if ctx.Err() != nil {
				t.Errorf("%s is stopped with a context that has ended", name)
			}
			if name == "worker" {
				return away
			}
			return nil
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Unwind(ended)
	if !slices.Equal(order, []string{"API", "worker", "backend"}) {
		t.Errorf("stopped in the order %q", order)
	}
	if !errors.Is(err, away) || !strings.Contains(err.Error(), "stop worker") {
		t.Errorf("error %v, want the worker's, by name", err)
	}
	if err := s.Unwind(ended); err != nil || len(order) != 3 {
		t.Errorf("unwound twice: %v, %q", err, order)
	}
}

// TestStackIsBounded: what does not stop holds nobody up longer than its grace.
func TestStackIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewStack(zap.NewNop())
		stopped := false
		s.OnStop("first", time.Second, func(context.Context) error { stopped = true; return nil })
		s.OnStop("hangs", time.Minute, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		begun := time.Now()
		err := s.Unwind(t.Context())
		if took := time.Since(begun); took != time.Minute || !errors.Is(err, context.DeadlineExceeded) || !stopped {
			t.Errorf("took %v (%v), the other was stopped: %v", took, err, stopped)
		}
	})
}

// TestStackWaitsForTheBackground: it ends when it is told to, not with the context
// that it was started with, and is waited for.
func TestStackWaitsForTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewStack(zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		told, ended := false, false
		s.Background(ctx, "news", time.Minute, func(ctx context.Context) {
			<-ctx.Done()
			told = true
			time.Sleep(time.Second)
			ended = true
		})
		cancel()
		synctest.Wait()
		if told {
			t.Error("it ended with the service's context, before the parts that use it")
		}
		if err := s.Unwind(t.Context()); err != nil || !ended {
			t.Errorf("unwound (%v) before it had ended: %v", err, !ended)
		}
	})
}
