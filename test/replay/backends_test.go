package replay

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/adapter/sqs"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/worker"
)

// store is what the house keeps in one place.
type store interface {
	letters.Store
	replay.Letters
	replay.Lines
	replay.Notifications
	document.Store
	device.Store
	deliver.Lines
	report.Chunks
	fanout.Lines
	Create(ctx context.Context, n push.Notification) (push.Notification, bool, error)
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)
}

// onBoth runs a test on the embedded backend and on the stand-ins for AWS.
func onBoth(t *testing.T, run func(t *testing.T, h *house)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		s, queues := embedded(t, t.TempDir())
		run(t, setup(t, s, queues))
	})
	t.Run("aws", func(t *testing.T) {
		t.Parallel()
		s, queues := onAWS(t)
		run(t, setup(t, s, queues))
	})
}

// embedded opens a data directory.
func embedded(tb testing.TB, data string) (store, map[string]worker.Queue) {
	tb.Helper()
	b, err := sqlite.Open(tb.Context(), data, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	queues := map[string]worker.Queue{}
	for _, name := range push.Queues() {
		dlq := push.DeadLetterQueue(name)
		for _, q := range []struct {
			name string
			cfg  sqlite.QueueConfig
		}{{dlq, sqlite.QueueConfig{}}, {name, sqlite.QueueConfig{MaxReceives: push.MaxReceives, DeadLetterQueue: dlq}}} {
			if queues[q.name], err = b.Queue(tb.Context(), q.name, q.cfg); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return b.Store(), queues
}

// onAWS provisions tables and queues of its own and opens them.
func onAWS(tb testing.TB) (store, map[string]worker.Queue) {
	tb.Helper()
	messaging, tables, objects := servers.Messaging(tb), servers.Tables(tb), servers.Objects(tb)
	if messaging.Account {
		tb.Skip("provisioning an account takes minutes and leaves a bucket's name behind; test/crash runs against one")
	}
	prefix := strings.TrimSuffix(messaging.Prefix, "-")
	clients := provision.NewClients(messaging.Config)
	clients.DynamoDB, clients.S3 = dynamodb.NewFromConfig(tables.Config), provision.NewS3Client(objects.Config)
	p := provision.New(clients, provision.Desired(prefix, provision.StandInAccount(messaging.Config.Region), provision.Options{}))
	plan, err := p.Plan(tb.Context())
	if err == nil {
		_, err = p.Apply(tb.Context(), plan, false)
	}
	if err != nil {
		tb.Fatal(err)
	}
	client, queues := sqs.New(messaging.Config, nil), map[string]worker.Queue{}
	for _, source := range push.Queues() {
		for _, name := range []string{source, push.DeadLetterQueue(source)} {
			q, err := client.Open(tb.Context(), provision.QueueName(prefix, name))
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Second)
				defer cancel()
				if err := q.Close(ctx); err != nil {
					tb.Error(err)
				}
			})
			queues[name] = q
		}
	}
	return dynamo.New(clients.DynamoDB, dynamo.Config{Prefix: prefix}), queues
}
