package dynamo

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/idempotency/idempotencytest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
)

// deaf hears the answer to no first try: every write is made twice, as the SDK
// does when the connection breaks behind a request that arrived.
type deaf struct{ table.Writer }

func (d deaf) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	_, _ = d.Writer.PutItem(ctx, in)
	return d.Writer.PutItem(ctx, in)
}

func (d deaf) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput,
	_ ...func(*dynamodb.Options),
) (*dynamodb.UpdateItemOutput, error) {
	_, _ = d.Writer.UpdateItem(ctx, in)
	return d.Writer.UpdateItem(ctx, in)
}

func (d deaf) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput,
	_ ...func(*dynamodb.Options),
) (*dynamodb.DeleteItemOutput, error) {
	_, _ = d.Writer.DeleteItem(ctx, in)
	return d.Writer.DeleteItem(ctx, in)
}

func (t tables) deafStore() *Store {
	return newStore(t.client, deaf{t.client}, Config{Prefix: t.prefix})
}

// TestRepeatedWrites runs the suites with every write made twice: a caller must
// not see the difference.
func TestRepeatedWrites(t *testing.T) {
	t.Parallel()
	t.Run("ledger", func(t *testing.T) {
		t.Parallel()
		x := newTables(t)
		ledgertest.Run(t, func(*testing.T) ledgertest.Store { return x.deafStore() }, ledgertest.Features{Lag: x.lag})
	})
	t.Run("devices", func(t *testing.T) {
		t.Parallel()
		x := newTables(t)
		devicetest.Run(t, func(*testing.T) device.Store { return x.deafStore() }, devicetest.Features{Lag: x.lag})
	})
	t.Run("idempotency", func(t *testing.T) {
		t.Parallel()
		x := newTables(t)
		idempotencytest.Run(t, func(*testing.T) idempotency.Store { return x.deafStore() }, idempotencytest.Features{RemovesItself: true})
	})
	t.Run("documents", func(t *testing.T) {
		t.Parallel()
		x := newTables(t)
		documenttest.Run(t, func(*testing.T) document.Store { return x.deafStore() }, documenttest.Features{})
	})
	t.Run("letters", func(t *testing.T) {
		t.Parallel()
		x := newTables(t)
		letterstest.Run(t, func(*testing.T) letterstest.Store { return x.deafStore() }, letterstest.Features{})
	})
}

var errCrash = errors.New("the process died here")

// mortal dies after a number of writes: it makes no more.
type mortal struct {
	table.Writer

	left *atomic.Int64
}

func (m mortal) PutItem(ctx context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if m.left.Add(-1) < 0 {
		return nil, errCrash
	}
	return m.Writer.PutItem(ctx, in)
}

func (m mortal) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput,
	_ ...func(*dynamodb.Options),
) (*dynamodb.UpdateItemOutput, error) {
	if m.left.Add(-1) < 0 {
		return nil, errCrash
	}
	return m.Writer.UpdateItem(ctx, in)
}

func (m mortal) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput,
	_ ...func(*dynamodb.Options),
) (*dynamodb.DeleteItemOutput, error) {
	if m.left.Add(-1) < 0 {
		return nil, errCrash
	}
	return m.Writer.DeleteItem(ctx, in)
}

// mortalStore makes writes and then no more.
func (t tables) mortalStore(writes int) *Store {
	var left atomic.Int64
	left.Store(int64(writes))
	return newStore(t.client, mortal{t.client, &left}, Config{Prefix: t.prefix})
}

// crash runs f with stores that die after 0, 1, 2, … writes, until one
// survives, and inspects what each left behind. It fails unless f made at least
// so many writes.
func (t tables) crash(tb testing.TB, least int, f func(s *Store, run int) error, inspect func(run int)) {
	tb.Helper()
	const most = 20
	for writes := range most {
		err := f(t.mortalStore(writes), writes)
		if err == nil {
			inspect(writes)
			if writes < least {
				tb.Errorf("%d writes were enough, expected at least %d: the test does not reach every crash", writes, least)
			}
			return
		}
		if !errors.Is(err, errCrash) {
			tb.Fatalf("after %d writes: %v", writes, err)
		}
		inspect(writes)
	}
	tb.Fatalf("still crashing after %d writes", most)
}
