package isolation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/isolation"
)

// TestOnePlace: the second chunk waits until the first leaves, its context ends, or the
// process drains.
func TestOnePlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := isolation.New()
		if !i.Enter(t.Context(), nil) {
			t.Fatal("the free place was not given")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if i.Enter(ctx, nil) {
			t.Error("the place was given twice")
		}
		draining := make(chan struct{})
		close(draining)
		if i.Enter(t.Context(), draining) {
			t.Error("the place was given twice, to a process that drains")
		}
		time.AfterFunc(time.Second, i.Leave)
		if !i.Enter(t.Context(), nil) {
			t.Error("the place that was left was not given")
		}
	})
}

// TestQuiet: a trial waits for the chunks in hand, and keeps new ones out. Where they
// do not end in time, they are let in again.
func TestQuiet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ends  time.Duration // when the chunk in hand ends
		quiet bool
		took  time.Duration
	}{
		"the other ends in time": {ends: time.Second, quiet: true, took: time.Second},
		"the other does not end": {ends: time.Hour, quiet: false, took: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := isolation.New()
				i.Begin(t.Context(), nil, false)
				time.AfterFunc(c.ends, i.End)
				begun := time.Now()
				if quiet := i.Quiet(t.Context(), nil, 10*time.Second); quiet != c.quiet || time.Since(begun) != c.took {
					t.Fatalf("quiet %t after %v", quiet, time.Since(begun))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if in := i.Begin(ctx, nil, false); in == c.quiet {
					t.Errorf("another chunk was let in: %t", in)
				}
				if !c.quiet {
					return
				}
				if !i.Begin(t.Context(), nil, true) {
					t.Error("the chunk on trial was kept out")
				}
				draining := make(chan struct{})
				time.AfterFunc(time.Second, func() { close(draining) })
				if i.Begin(t.Context(), draining, false) {
					t.Error("another chunk was let in while the process drains")
				}
				i.Open()
				if !i.Begin(t.Context(), nil, false) {
					t.Error("another chunk was kept out after the trial")
				}
			})
		})
	}
}
