// Package sharedratetest holds the stores of documents to what shared rates need of them: every driver of
// [document.Store] runs it, beside documenttest.
package sharedratetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/guard"
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
	t.Run("dispatchers of one FCM project send no more than its quota together", func(t *testing.T) {
		t.Parallel()
		quota(t, open(t))
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

// quota has two dispatchers send as fast as they may.
func quota(t *testing.T, docs document.Store) {
	t.Helper()
	const each, burst, perSecond = 300, 200, 1_000
	name := string(push.NewID("fcm"))
	limit := sharedrate.Limit{Tokens: perSecond, Per: time.Second, Burst: burst, Recover: time.Minute}
	begun := time.Now()
	var wg sync.WaitGroup
	for k := range 2 {
		wg.Go(func() {
			s, stop := process(t, docs, fmt.Sprint("d", k))
			defer stop()
			cfg := guard.DefaultConfig(name)
			cfg.PerSecond, cfg.Ramp, cfg.Quota = perSecond, 0, bucket(t, s, name, limit)
			g, err := guard.New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer g.Close()
			for range each {
				ticket, err := g.Admit(t.Context(), guard.Ask{Traffic: guard.TrafficLive, Patience: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				ticket.Done(push.CodeSent, 0)
			}
		})
	}
	wg.Wait()
	const free = 2 * perSecond / 400 // that nobody has to ask for
	if least := (2*each - burst - free) * time.Second / perSecond; time.Since(begun) < least {
		t.Errorf("%d requests in %v, at least %v", 2*each, time.Since(begun), least)
	}
}
