// Package sharedratetest holds the stores of documents to what shared rates need of them: every driver of
// [document.Store] runs it, beside documenttest.
package sharedratetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sharedrate"
)

// Run has several processes share buckets on the driver, in real time. No case depends on how quick the machine is.
func Run(t *testing.T, open func(t *testing.T) document.Store) {
	t.Helper()
	t.Run("an allotment is given once, to the last token", func(t *testing.T) {
		t.Parallel()
		allotment(t, open(t))
	})
	t.Run("a rate gives no more than it should in the time that passed", func(t *testing.T) {
		t.Parallel()
		rate(t, open(t))
	})
}

// process returns a set that gives back at the end of stop.
func process(t *testing.T, docs document.Store, name string) (set *sharedrate.Set, stop func()) {
	t.Helper()
	s, err := sharedrate.New(sharedrate.Config{
		Documents: docs, Process: name, Log: zap.NewNop(), Lease: 10 * time.Minute, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	return s, func() { cancel(); <-ended }
}

func bucket(t *testing.T, s *sharedrate.Set, name string, l sharedrate.Limit) *sharedrate.Bucket {
	t.Helper()
	b, err := s.Bucket(name, l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func allotment(t *testing.T, docs document.Store) {
	t.Helper()
	const processes, all = 4, 500
	name, limit := string(push.NewID("day")), sharedrate.Limit{Burst: all}
	var took atomic.Int64
	var wg sync.WaitGroup
	for k := range processes {
		wg.Go(func() {
			s, stop := process(t, docs, fmt.Sprint("p", k))
			defer stop() // which gives back what it leased for nothing
			for b := bucket(t, s, name, limit); ; took.Add(1) {
				if a, err := b.Ask(t.Context(), 1); err != nil || !a.OK {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	s, stop := process(t, docs, "last")
	defer stop()
	for b := bucket(t, s, name, limit); ; took.Add(1) {
		if a, err := b.Ask(t.Context(), 1); err != nil || !a.OK {
			break
		}
	}
	if got := took.Load(); got > all || got < all*9/10 {
		t.Errorf("%d of %d", got, all)
	}
}

func rate(t *testing.T, docs document.Store) {
	t.Helper()
	const processes, each = 3, 300
	name, limit := string(push.NewID("rate")), sharedrate.Limit{Tokens: 2_000, Per: time.Second, Burst: 200}
	begun := time.Now()
	var wg sync.WaitGroup
	for k := range processes {
		wg.Go(func() {
			s, stop := process(t, docs, fmt.Sprint("p", k))
			defer stop()
			b := bucket(t, s, name, limit)
			for range each {
				if err := b.Wait(t.Context(), 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if least := (processes*each - 200) * time.Second / 2_000; time.Since(begun) < least {
		t.Errorf("%d tokens in %v, at least %v", processes*each, time.Since(begun), least)
	}
}
