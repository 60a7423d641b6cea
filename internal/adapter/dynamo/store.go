package dynamo

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"
)

// DefaultRetention is how long a notification and all that belongs to it is
// kept after its last change.
const DefaultRetention = 90 * 24 * time.Hour

// Config is what a [Store] is built from.
type Config struct {
	Prefix    string           // of the tables' names
	Retention time.Duration    // 0 means DefaultRetention
	Now       func() time.Time // nil means time.Now
	Random    func() uint64    // for nonces and jitter, safe for concurrent use; nil means rand.Uint64
	Meter     Meter            // nil means none
}

// Store drives the ports ledgertest.Store, device.Store, idempotency.Store,
// document.Store and replay.Letters on DynamoDB. It is safe for concurrent use by
// any number of goroutines and processes; every write is durable when it returns.
// Errors of DynamoDB itself are [*Error] somewhere in the chain.
type Store struct {
	reader    reader
	writer    writer
	meter     Meter
	retention time.Duration
	now       func() time.Time
	random    func() uint64
	stamp     atomic.Int64 // last number of a checkpoint's attempts, see nextStamp

	shard uint64 // chosen for this process, see bookShards

	notifications, chunks, devices, config, letters string // table names
}

// New returns a store on the tables of an installation (see [Tables]). How
// often a failed call is tried is set on the client (aws.Config's
// RetryMaxAttempts); everything here survives a repeated call.
func New(client *dynamodb.Client, cfg Config) *Store { return newStore(client, client, cfg) }

func newStore(r reader, w writer, cfg Config) *Store {
	s := &Store{
		reader: r, writer: w, meter: cfg.Meter, retention: cfg.Retention, now: cfg.Now, random: cfg.Random,
		notifications: cfg.Prefix + suffixNotifications, chunks: cfg.Prefix + suffixChunks,
		devices: cfg.Prefix + suffixDevices, config: cfg.Prefix + suffixConfig,
		letters: cfg.Prefix + suffixLetters,
	}
	if s.meter == nil {
		s.meter = noMeter{}
	}
	if s.retention <= 0 {
		s.retention = DefaultRetention
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Uint64
	}
	s.shard = s.random()
	return s
}

// parallelCalls bounds the calls that one method makes at once. The SDK keeps
// that many connections to one host by default or more.
const parallelCalls = 16

// concurrently runs f for 0..n-1, at most parallelCalls at once, and returns
// the first error; the others are cancelled.
func concurrently(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelCalls)
	for i := range n {
		g.Go(func() error { return f(ctx, i) })
	}
	return g.Wait()
}

// conflictTries bounds how often a change is started over because others were
// faster. One of them wins each round, so sixteen lost rounds mean that
// something is wrong.
const conflictTries = 16

// maxList bounds a page of every listing.
const maxList = 1000

func listLimit(limit int) int { return min(max(limit, 1), maxList) }

// expiry returns the TTL attribute of something written now and kept for d.
func (s *Store) expiry(d time.Duration) int64 { return s.now().Add(d).Unix() }

// live returns the item unless it is absent or past its expiry: DynamoDB
// deletes expired items within days, not at once
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html).
func (s *Store) live(i item) item {
	if i == nil || i.has(TTLAttribute) && i.number(TTLAttribute) <= s.now().Unix() {
		return nil
	}
	return i
}
