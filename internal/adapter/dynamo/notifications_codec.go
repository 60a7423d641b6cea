package dynamo

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of notifications.
const (
	attrID          = "id"           // the notification's, or bodyID of its body
	attrTenantShard = "tenant_shard" // see tenantShard
	attrOutbox      = "outbox"       // see outboxOf; absent once it is finished
	attrAtID        = "at_id"        // see atID
	attrVersion     = "version"      // of progress
	attrProgress    = "progress"     // push.Progress as JSON
	attrBody        = "body"         // what never changes, see packJSON
	attrBodyAt      = "body_at"      // where the body is, if not here
	attrWrite       = "w"            // nonce of the last write
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
func atID(t time.Time, id push.ID) string { return sortable(t) + "#" + string(id) }

// checkAtID returns an error unless s is an atID.
func checkAtID(s string) error {
	if len(s) <= sortableLen+1 || s[sortableLen] != '#' {
		return fmt.Errorf("%q is not a time and an id", s)
	}
	_, err := parseSortable(s[:sortableLen])
	return err
}

// bodyID is the key of a body apart. The nonce is that of the write that
// creates the head, so that the bodies of racing creates do not meet.
func bodyID(id push.ID, n nonce) string { return string(id) + "#body#" + hex.EncodeToString(n[:]) }

// inOutbox tells whether a notification waits for a sweeper to enqueue it. A
// batch that is uploading waits for its caller instead.
func inOutbox(p *push.Progress) bool { return !p.Enqueued && p.State != push.StateUploading }

// onItsWay is what the partition of the outbox index begins with in which the
// notifications stand that left the outbox and are not finished. They share the
// index, because another one would cost as many writes and a new table.
const onItsWay = "o"

// outboxOf returns the partition of the outbox index that a notification stands
// in, "" for none.
func outboxOf(id push.ID, p *push.Progress) string {
	shard := strconv.Itoa(shardOf(id))
	switch {
	case inOutbox(p):
		return shard
	case p.Unfinished():
		return onItsWay + shard
	default:
		return ""
	}
}

// encodeNotification returns the head and, where that would be too large to be
// rewritten often, the body as an item of its own.
func (s *Store) encodeNotification(n *push.Notification, w nonce) (head, body item, err error) {
	fixed := *n
	fixed.Progress = push.Progress{}
	packed, err := packJSON(fixed)
	if err != nil {
		return nil, nil, err
	}
	progress, err := json.Marshal(n.Progress)
	if err != nil {
		return nil, nil, err
	}
	shard := shardOf(n.ID)
	head = item{
		attrID: text(string(n.ID)), attrTenantShard: text(tenantShard(n.Tenant, shard)), attrAtID: text(atID(n.AcceptedAt, n.ID)),
		attrVersion: number(n.Progress.Version), attrProgress: text(string(progress)), attrBody: blob(packed),
		TTLAttribute: number(s.expiry(s.retention)), attrWrite: w.value(),
	}
	if partition := outboxOf(n.ID, &n.Progress); partition != "" {
		head[attrOutbox] = text(partition)
	}
	if itemSize(head) <= inlineBytes {
		return head, nil, nil
	}
	// The head's expiry moves on with every change and the body's does not, so
	// the body is kept twice as long.
	body = item{attrID: text(bodyID(n.ID, w)), attrBody: blob(packed), TTLAttribute: number(s.expiry(2 * s.retention))}
	delete(head, attrBody)
	head[attrBodyAt] = body[attrID]
	return head, body, nil
}

// decodeNotification joins a head with the item that holds its body, which may
// be the head itself.
func decodeNotification(head, body item) (push.Notification, error) {
	var n push.Notification
	if err := unpackJSON(body.bytes(attrBody), &n); err != nil {
		return n, fmt.Errorf("stored notification %s: %w", head.text(attrID), err)
	}
	n.Progress = push.Progress{}
	if err := json.Unmarshal([]byte(head.text(attrProgress)), &n.Progress); err != nil {
		return n, fmt.Errorf("stored progress of %s: %w", head.text(attrID), err)
	}
	return n, nil
}

// The first byte of what packJSON returns.
const (
	packPlain    = 1 // JSON
	packDeflated = 2 // JSON in DEFLATE (RFC 1951)
)

// packJSON encodes v, deflated where that is shorter: an item is billed by the
// kilobyte. It leaves <, > and & as they are, because a message comes back byte
// for byte as it was accepted.
func packJSON(v any) ([]byte, error) {
	b := bytes.NewBuffer([]byte{packPlain})
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return shorter(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// pack encodes b, deflated where that is shorter.
func pack(b []byte) ([]byte, error) { return shorter(append([]byte{packPlain}, b...)) }

// shorter deflates what is packed plainly if that makes it shorter.
func shorter(plain []byte) ([]byte, error) {
	deflated, err := deflate([]byte{packDeflated}, plain[1:])
	if err != nil {
		return nil, err
	}
	if len(deflated) < len(plain) {
		return deflated, nil
	}
	return plain, nil
}

func unpackJSON(b []byte, v any) error {
	plain, err := unpack(b)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// unpack returns what pack was given.
func unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errDamaged
	}
	switch b[0] {
	case packPlain:
		return b[1:], nil
	case packDeflated:
		return inflate(b[1:], maxInflated)
	default:
		return nil, fmt.Errorf("format %d: %w", b[0], push.ErrNewerSchema)
	}
}
