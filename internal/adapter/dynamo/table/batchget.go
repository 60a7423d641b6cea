package table

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// maxBatchGet is how many keys BatchGetItem takes
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html).
const maxBatchGet = 100

// What BatchGetItem leaves unprocessed, because the answer would pass 16 MB or
// a partition is too busy, is asked for again after a full-jitter wait.
const (
	batchTries     = 8
	batchFirstWait = 50 * time.Millisecond
	batchMostWait  = 2 * time.Second
)

// BatchGet reads the items of any number of keys, in any order. Keys may repeat;
// absent items are left out.
func (c *Client) BatchGet(ctx context.Context, table string, keys []Item, consistent bool) ([]Item, error) {
	unique := make([]map[string]types.AttributeValue, 0, len(keys))
	seen := make(map[string]bool, len(keys))
	for _, k := range keys {
		name := c.keyName(table, k)
		if !seen[name] {
			seen[name] = true
			unique = append(unique, k)
		}
	}
	var mu sync.Mutex
	var found []Item
	batches := (len(unique) + maxBatchGet - 1) / maxBatchGet
	err := Concurrently(ctx, batches, func(ctx context.Context, i int) error {
		part := unique[i*maxBatchGet : min((i+1)*maxBatchGet, len(unique))]
		return c.batchGetSome(ctx, table, part, consistent, func(items []map[string]types.AttributeValue) {
			mu.Lock()
			defer mu.Unlock()
			for _, x := range items {
				found = append(found, x)
			}
		})
	})
	return found, err
}

// keyName is a key as a text, to tell keys of one table apart.
func (c *Client) keyName(table string, i Item) string {
	var parts []string
	for _, name := range c.keys[table].names() {
		parts = append(parts, i.Text(name))
	}
	return strings.Join(parts, "\x00")
}

// batchGetSome asks for up to maxBatchGet keys until none is left unprocessed.
func (c *Client) batchGetSome(ctx context.Context, table string, keys []map[string]types.AttributeValue, consistent bool,
	visit func([]map[string]types.AttributeValue),
) error {
	const op = "BatchGetItem"
	for try := range batchTries {
		if try > 0 {
			if err := c.Pause(ctx, try); err != nil {
				return err
			}
		}
		out, err := c.reader.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{table: {Keys: keys, ConsistentRead: &consistent}},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			c.meter.Consumed(op, 0, 0)
			return classify(op, table, err)
		}
		read := 0.0
		for i := range out.ConsumedCapacity {
			read += units(&out.ConsumedCapacity[i])
		}
		c.meter.Consumed(op, read, 0)
		visit(out.Responses[table])
		keys = out.UnprocessedKeys[table].Keys
		if len(keys) == 0 {
			return nil
		}
	}
	return push.WithOutage(push.OutageThrottled, &Error{
		Kind: KindThrottled, Operation: op, Table: table,
		Err: fmt.Errorf("%d keys still unprocessed after %d tries", len(keys), batchTries),
	})
}

// Pause waits before try number 1, 2, …: full jitter below a bound that doubles.
func (c *Client) Pause(ctx context.Context, try int) error {
	most := min(batchFirstWait<<(try-1), batchMostWait)
	if !worker.Wait(ctx, time.Duration(c.Random()%uint64(most))) { //nolint:gosec // positive and below 2 s
		return fmt.Errorf("wait for another try: %w", ctx.Err())
	}
	return nil
}
