package heal

import (
	"context"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// purge empties queues, as a wrong command does, while processes may use them.
func (h *house) purge(queues ...string) {
	h.t.Helper()
	if h.prefix == "" {
		h.empty(queues)
		return
	}
	client := awssqs.NewFromConfig(servers.Messaging(h.t).Config)
	for _, q := range queues {
		name := provision.QueueName(h.prefix, q)
		url, err := client.GetQueueUrl(h.t.Context(), &awssqs.GetQueueUrlInput{QueueName: &name})
		if err == nil {
			_, err = client.PurgeQueue(h.t.Context(), &awssqs.PurgeQueueInput{QueueUrl: url.QueueUrl})
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// empty takes every message of queues of a data directory that can be received.
func (h *house) empty(queues []string) {
	h.t.Helper()
	ctx := context.WithoutCancel(h.t.Context())
	b, err := sqlite.Open(ctx, h.data, zap.NewNop())
	if err != nil {
		h.t.Fatal(err)
	}
	defer b.Close()
	for _, name := range queues {
		q, err := b.Queue(ctx, name, sqlite.QueueConfig{MaxReceives: push.MaxReceives, DeadLetterQueue: push.DeadLetterQueue(name)})
		if err != nil {
			h.t.Fatal(err)
		}
		for {
			msgs, err := q.Receive(ctx, worker.MaxBatch, 0)
			if err != nil {
				h.t.Fatal(err)
			}
			if len(msgs) == 0 {
				break
			}
			if err := q.Delete(ctx, msgs); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}
