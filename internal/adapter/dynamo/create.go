package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// CreateTables makes the tables of an installation that do not exist, waits
// until all are active, and turns TTL and point-in-time recovery on. It changes
// no key schema and no index of a table that exists. It may be run again and by
// several processes at once. A stand-in that knows nothing of TTL or
// point-in-time recovery is excused: readers filter by expiry anyway.
func CreateTables(ctx context.Context, client *dynamodb.Client, prefix string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range Tables(prefix) {
		g.Go(func() error {
			if err := table.Create(ctx, client, t); err != nil {
				return fmt.Errorf("create table %s: %w", t.Name, err)
			}
			return nil
		})
	}
	return g.Wait()
}
