package sharedrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/document"
)

// Kind is the kind of the documents that buckets are.
const Kind = "rate"

// Config is what a process's buckets have in common.
type Config struct {
	Documents document.Store
	Process   string // names this process among all, for as long as it lives; ASCII, and no other process ever has it
	Log       *zap.Logger

	// Lease is how long tokens that are not used stay with a process, 5 s..10 min; 0: 30 s.
	Lease time.Duration
	// Grace is how long a process goes on with its last known share when the store is away, from the last exchange on that
	// went well; 0: 1 min.
	Grace time.Duration
	// Keep, if it is longer, is how long it goes on with a share that it had exchanged within Grace before the store went
	// away, from then on.
	Keep time.Duration
	// Timeout bounds an exchange with the store; 0: 2 s.
	Timeout time.Duration
}

// Set is the shared buckets that a process uses. Safe for concurrent use. Make it with [New].
type Set struct {
	cfg     Config
	elapsed func() time.Duration // since New

	mu      sync.Mutex
	buckets map[string]*Bucket
	made    int  // buckets ever
	closing bool // no more is leased
	closed  bool
	flights sync.WaitGroup
	slots   chan struct{} // of flights that ask the store at the same time

	down atomic.Bool // as the log knows it
}

// New returns a set without a bucket. It asks nothing of the store. Run has to run beside it.
func New(cfg Config) (*Set, error) {
	if cfg.Documents == nil || cfg.Process == "" || cfg.Log == nil {
		return nil, errors.New("sharedrate: needs documents, the process's name and a logger")
	}
	cfg.Lease, cfg.Grace = cmp.Or(cfg.Lease, 30*time.Second), cmp.Or(cfg.Grace, time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, 2*time.Second)
	if cfg.Lease < 5*time.Second || cfg.Lease > 10*time.Minute {
		return nil, fmt.Errorf("sharedrate: lease must be 5s..10m (got %v)", cfg.Lease)
	}
	return &Set{cfg: cfg, elapsed: clock.Start(), buckets: map[string]*Bucket{}, slots: make(chan struct{}, slots)}, nil
}

// Bucket returns the bucket of a name, 1..128 printable ASCII. All processes have to name the same limit; while they
// do not, as when it is changed, each reckons by its own. The error is that the limit is out of range.
func (s *Set) Bucket(name string, limit Limit) (*Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b != nil {
		if l := b.limit.Load(); *l == limit {
			return b, nil
		}
	}
	if err := limit.Validate(); err != nil {
		return nil, fmt.Errorf("bucket %q: %w", name, err)
	}
	if b == nil {
		s.made++
		b = &Bucket{set: s, name: name, id: s.cfg.Process + "." + strconv.Itoa(s.made)}
		b.touched.Store(int64(s.elapsed()))
		s.buckets[name] = b
	}
	if old := b.limit.Swap(&limit); old != nil && old.Period != limit.Period {
		b.until.Store(0) // what is leased is of a period that is over
	}
	return b, nil
}

// slots is how many buckets ask the store at the same time.
const slots = 32

// houseEvery is how often the set looks for leases that are not used.
const houseEvery = time.Second

// Run gives back what is not used, until ctx ends; then it gives back everything and returns. Takes fail from then on.
func (s *Set) Run(ctx context.Context) {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.close(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			s.keepHouse()
		}
	}
}

func (s *Set) all() []*Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Bucket, 0, len(s.buckets))
	for _, b := range s.buckets {
		all = append(all, b)
	}
	return all
}

// idleAfter is how long a lease of more than a small part of a bucket may lie idle.
const idleAfter = 2 * time.Second

// keepHouse gives back idle leases, and forgets buckets that are full: they are as if they did not exist.
func (s *Set) keepHouse() {
	now := s.elapsed()
	for _, b := range s.all() {
		idle, limit := now-time.Duration(b.touched.Load()), b.limit.Load()
		after, left := s.cfg.Lease/2, b.left.Load()
		if left > limit.Burst/16 {
			after = idleAfter
		}
		switch {
		case b.holds.Load() && b.told.Load()-left > limit.Burst/16, b.cutting():
			b.fly(purposeLease) // what is spent and not told keeps the bucket from being refilled
		case idle < after:
		case b.holds.Load():
			b.fly(purposeGiveBack)
		case idle > b.fills(limit)+s.cfg.Lease:
			s.forget(b)
		}
	}
}

// forget lets go of a bucket that nobody has used for longer than it needs to fill.
func (s *Set) forget(b *Bucket) {
	if b.stored.Load() {
		b.fly(purposeRemove)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, b.name)
}

func (s *Set) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*s.cfg.Timeout)
	defer cancel()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	all := s.all()
	for _, b := range all {
		b.until.Store(0)
	}
	for range 2 { // a lease may be under way at first
		s.giveBack(ctx, all)
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.flights.Wait() // each is bounded
}

func (s *Set) giveBack(ctx context.Context, all []*Bucket) {
	var flights []*flight
	for _, b := range all {
		if b.holds.Load() {
			if f := b.fly(purposeGiveBack); f != nil {
				flights = append(flights, f)
			}
		}
	}
	for _, f := range flights {
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
	}
}

// says tells the log when the store goes away and when it is back, once each.
func (s *Set) says(err error) {
	switch {
	case err != nil && s.down.CompareAndSwap(false, true):
		s.cfg.Log.Warn("shared rates cannot be asked for: going on with the last known share", zap.Duration("for", s.cfg.Grace), zap.Error(err))
	case err == nil && s.down.CompareAndSwap(true, false):
		s.cfg.Log.Info("shared rates can be asked for again")
	}
}

// Away reports whether the store could not be asked when it was last tried.
func (s *Set) Away() bool { return s.down.Load() }
