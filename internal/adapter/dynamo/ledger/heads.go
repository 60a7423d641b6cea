package ledger

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of notifications. The id is the notification's, or bodyID
// of its body; the version is of progress; the body is what never changes.
const (
	attrTenantShard = "tenant_shard" // see tenantShard
	attrOutbox      = "outbox"       // see outboxOf; absent once it is finished
	attrAtID        = "at_id"        // see atID
	attrProgress    = "progress"     // push.Progress as JSON
	attrBodyAt      = "body_at"      // where the body is, if not here
	attrRetired     = "retired"      // when it was, in microseconds; then it is absent
)

// listShards spreads the outbox, and the notifications of one tenant, over
// index partitions: each takes 1,000 writes a second
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html).
const listShards = 8

// inlineBytes is up to how large an item keeps its body. Every later change of
// an item costs its whole size, and a notification changes three times or more;
// a body apart costs its size once and one more read.
const inlineBytes = 1024 - 64 // room for the times that progress gains

func shardOf(id push.ID) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, string(id)) // never fails
	return int(h.Sum32() % listShards)
}

// tenantShard is the partition of a tenant's listing. The shard comes first and
// has one digit, so that no tenant's name makes it ambiguous.
func tenantShard(tenant string, shard int) string { return strconv.Itoa(shard) + "#" + tenant }

// atID sorts by time of acceptance, and ids within the same microsecond.
func atID(t time.Time, id push.ID) string { return table.Sortable(t) + "#" + string(id) }

// checkAtID returns an error unless s is an atID.
func checkAtID(s string) error {
	if len(s) <= table.SortableLen+1 || s[table.SortableLen] != '#' {
		return fmt.Errorf("%q is not a time and an id", s)
	}
	_, err := table.ParseSortable(s[:table.SortableLen])
	return err
}

// bodyID is the key of a body apart. The nonce is that of the write that
// creates the head, so that the bodies of racing creates do not meet.
func bodyID(id push.ID, n table.Nonce) string {
	return string(id) + "#body#" + hex.EncodeToString(n[:])
}

// inOutbox reports whether a notification waits for a sweeper to enqueue it. A
// batch that is uploading waits for its caller instead.
func inOutbox(p *push.Progress) bool { return !p.Enqueued && p.State != push.StateUploading }

// onItsWay is what the partition of the outbox index begins with in which the
// notifications stand that left the outbox and are not finished. They share the
// index, because another one would cost as many writes and a new table.
const onItsWay = "o"

// outboxOf returns the partition of the outbox index that a notification stands
// in, "" for none.
func (s *Store) outboxOf(id push.ID, p *push.Progress) string {
	shard := shardOf(id)
	switch {
	case inOutbox(p):
		return strconv.Itoa(shard)
	case p.Unfinished():
		return onItsWay + strconv.Itoa(shard)
	case s.sweeps(p.KeepDays):
		return endedPartition(p.KeepDays, shard)
	default:
		return ""
	}
}

// encodeNotification returns the head and, where that would be too large to be
// rewritten often, the body as an item of its own.
func (s *Store) encodeNotification(n *push.Notification, w table.Nonce) (head, body table.Item, err error) {
	fixed := *n
	fixed.Progress = push.Progress{}
	packed, err := table.PackJSON(fixed)
	if err != nil {
		return nil, nil, err
	}
	progress, err := json.Marshal(n.Progress)
	if err != nil {
		return nil, nil, err
	}
	shard := shardOf(n.ID)
	head = table.Item{
		table.AttrID: table.Text(string(n.ID)), attrTenantShard: table.Text(tenantShard(n.Tenant, shard)),
		attrAtID:          table.Text(atID(n.AcceptedAt, n.ID)),
		table.AttrVersion: table.Number(n.Progress.Version), attrProgress: table.Text(string(progress)), table.AttrBody: table.Blob(packed),
		table.TTLAttribute: table.Number(s.db.Expiry(s.db.Retention)), table.AttrWrite: w.Value(),
	}
	if partition := s.outboxOf(n.ID, &n.Progress); partition != "" {
		head[attrOutbox] = table.Text(partition)
	}
	if table.ItemSize(head) <= inlineBytes {
		return head, nil, nil
	}
	// The head's expiry moves on with every change and the body's does not, so
	// the body is kept twice as long.
	body = table.Item{
		table.AttrID: table.Text(bodyID(n.ID, w)), table.AttrBody: table.Blob(packed),
		table.TTLAttribute: table.Number(s.db.Expiry(2 * s.db.Retention)),
	}
	delete(head, table.AttrBody)
	head[attrBodyAt] = body[table.AttrID]
	return head, body, nil
}

// decodeNotification joins a head with the item that holds its body, which may
// be the head itself.
func decodeNotification(head, body table.Item) (push.Notification, error) {
	var n push.Notification
	if err := table.UnpackJSON(body.Bytes(table.AttrBody), &n); err != nil {
		return n, fmt.Errorf("stored notification %s: %w", head.Text(table.AttrID), err)
	}
	n.Progress = push.Progress{}
	if err := json.Unmarshal([]byte(head.Text(attrProgress)), &n.Progress); err != nil {
		return n, fmt.Errorf("stored progress of %s: %w", head.Text(table.AttrID), err)
	}
	return n, nil
}
