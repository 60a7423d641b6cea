package table

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/push"
)

// DefaultRetention is how long a notification and all that belongs to it is
// kept after its last change.
const DefaultRetention = 90 * 24 * time.Hour

// Config is how an installation's tables are used.
type Config struct {
	Prefix    string           // of the tables' names
	Retention time.Duration    // 0 means DefaultRetention
	Now       func() time.Time // nil means time.Now
	Random    func() uint64    // for nonces and jitter, safe for concurrent use; nil means rand.Uint64
	Meter     Meter            // nil means none
}

// Client reads and writes items of an installation's tables, and reports what every
// call consumed. It is safe for concurrent use. Errors of DynamoDB itself are
// [*Error] somewhere in the chain.
type Client struct {
	// Retention, Now and Random are those of the Config, with the gaps filled. They
	// never change.
	Retention time.Duration
	Now       func() time.Time
	Random    func() uint64

	reader Reader
	writer Writer
	meter  Meter
	keys   map[string]Key // by table
	stamp  atomic.Int64   // last one of NextStamp
}

// NewClient returns a client of the tables by way of the two halves of the SDK's.
func NewClient(r Reader, w Writer, cfg Config, tables []Table) *Client {
	c := &Client{reader: r, writer: w, meter: cfg.Meter, Retention: cfg.Retention, Now: cfg.Now, Random: cfg.Random, keys: map[string]Key{}}
	if c.meter == nil {
		c.meter = noMeter{}
	}
	if c.Retention <= 0 {
		c.Retention = DefaultRetention
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Uint64
	}
	for _, t := range tables {
		c.keys[t.Name] = t.Key
	}
	return c
}

// parallelCalls bounds the calls that one method makes at once. The SDK keeps
// that many connections to one host by default or more.
const parallelCalls = 16

// Concurrently runs f for 0..n-1, at most parallelCalls at once, and returns
// the first error; the others are cancelled.
func Concurrently(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
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

// ConflictTries bounds how often a change is started over because others were
// faster. One of them wins each round, so sixteen lost rounds mean that
// something is wrong.
const ConflictTries = 16

// UntilDone makes attempts at a change until one is done, as each reports, or fails. After
// [ConflictTries] of them it returns push.ErrConflict.
func UntilDone(attempt func() (done bool, err error)) error {
	for range ConflictTries {
		if done, err := attempt(); done || err != nil {
			return err
		}
	}
	return push.ErrConflict
}

// MaxList bounds a page of every listing.
const MaxList = 1000

// Limit is how many rows a page has, of those that were asked for: 1 to MaxList.
func Limit(limit int) int { return min(max(limit, 1), MaxList) }

// Expiry returns the TTL attribute of something written now and kept for d.
func (c *Client) Expiry(d time.Duration) int64 { return c.Now().Add(d).Unix() }

// Live returns the item unless it is absent or past its expiry: DynamoDB
// deletes expired items within days, not at once
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html).
func (c *Client) Live(i Item) Item {
	if i == nil || i.Has(TTLAttribute) && i.Number(TTLAttribute) <= c.Now().Unix() {
		return nil
	}
	return i
}
