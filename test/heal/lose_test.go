package heal

import (
	"path/filepath"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/provision"
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

// empty takes every message of queues of a data directory, also those in hand: a
// process that was killed a moment ago may have held some.
func (h *house) empty(queues []string) {
	h.t.Helper()
	d, err := db.OpenExisting(filepath.Join(h.data, "queue.db"), "busy_timeout(60000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for _, name := range queues {
		const messages = `SELECT m.id FROM message m JOIN queue q ON q.id = m.queue WHERE q.name = ?`
		for _, remove := range []string{
			`DELETE FROM body WHERE id IN (` + messages + `)`,
			`DELETE FROM message WHERE id IN (` + messages + `)`,
		} {
			if _, err := d.ExecContext(h.t.Context(), remove, name); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}
