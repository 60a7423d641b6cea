package dynamo

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/test/raced"
	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) {
	raced.Checks()
	os.Exit(servers.Main(m))
}

// tables are an installation's tables for one test.
type tables struct {
	client *dynamodb.Client
	prefix string
	lag    time.Duration // of eventually consistent reads
}

// newTables makes tables that no other test uses.
func newTables(tb testing.TB) tables {
	tb.Helper()
	target := servers.Tables(tb)
	prefix := strings.TrimSuffix(target.Prefix, "-")
	t := tables{client: dynamodb.NewFromConfig(target.Config, watchKeys(tb, prefix)), prefix: prefix}
	if target.Account {
		// "changes to the table data are propagated to the global secondary indexes
		// within a fraction of a second, under normal conditions"
		// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html).
		// dynalite never lags.
		t.lag = 15 * time.Second
	}
	if err := CreateTables(tb.Context(), t.client, t.prefix); err != nil {
		tb.Fatal(err)
	}
	if target.Account {
		tb.Cleanup(func() { t.drop(tb) })
	}
	return t
}

// drop deletes the tables; a stand-in forgets them by itself.
func (t tables) drop(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	defer cancel()
	for _, x := range Tables(t.prefix) {
		if _, err := t.client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: aws.String(x.Name)}); err != nil {
			tb.Errorf("delete %s: %v", x.Name, err)
		}
	}
}

func (t tables) store() *Store { return New(t.client, Config{Prefix: t.prefix}) }

// at is the time at which the tests' world begins.
func at() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }
