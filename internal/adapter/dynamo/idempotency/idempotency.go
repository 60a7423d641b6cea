package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of idempotency records. It is
// safe for concurrent use by any number of goroutines and processes; every write is
// durable when it returns.
type Store struct {
	db *table.Client

	config string // table name
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, config: prefix + table.SuffixConfig}
}

// Attributes of an idempotency record, in the table of configuration.
const (
	attrKeyText     = "key"
	attrFingerprint = "fingerprint"
	attrHolder      = "holder"
	attrLease       = "lease_until" // microseconds since 1970
	attrExpires     = "expires"     // the same; expires_at is DynamoDB's, in seconds
	attrDone        = "done"
	attrStatus      = "status"
)

// recordName is the sort key of every record: each has a partition of its own.
const recordName = "record"

// recordKey hashes the caller's key, which may be longer than a partition key
// may be.
func recordKey(tenant, key string) table.Item {
	sum := sha256.Sum256([]byte(key))
	return table.ConfigKey("idem#"+table.Scoped(tenant)+"#"+base64.RawURLEncoding.EncodeToString(sum[:]), recordName)
}

// Reserve stores r unless a live record exists under its tenant and key; it
// returns what is stored now and whether this call stored it.
func (s *Store) Reserve(ctx context.Context, r idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	stored, reserved, err := s.reserve(ctx, &r, now)
	if err != nil {
		return idempotency.Record{}, false, fmt.Errorf("reserve an idempotency key: %w", err)
	}
	return stored, reserved, nil
}

func (s *Store) reserve(ctx context.Context, r *idempotency.Record, now time.Time) (idempotency.Record, bool, error) {
	w := s.db.NewNonce()
	i := encodeRecord(r, w)
	for range table.ConflictTries {
		var e table.Expression
		at := e.Value("now", table.Number(now.UnixMicro()))
		e.Where(fmt.Sprintf("(attribute_not_exists(%s) OR %s <= %s OR (%s = %s AND %s <= %s))", e.Name(table.AttrKind),
			e.Name(attrExpires), at, e.Name(attrDone), e.Value("open", table.Boolean(false)), e.Name(attrLease), at))
		_, err := s.db.Put(ctx, s.config, i, e, false)
		if err == nil {
			return *r, true, nil
		}
		found, err := s.db.Winner(ctx, err)
		switch {
		case err != nil:
			return idempotency.Record{}, false, err
		case found.NonceAt(table.AttrWrite) == w:
			return *r, true, nil
		case found != nil:
			return decodeRecord(found), false, nil
		}
		// It was released meanwhile.
	}
	return idempotency.Record{}, false, push.ErrConflict
}

// Complete stores the answer if the holder still holds the key, else
// push.ErrConflict. The lease's end does not matter while nobody took over.
func (s *Store) Complete(ctx context.Context, r idempotency.Record) error {
	var e table.Expression
	e.Set(attrDone, table.Boolean(true))
	e.Set(attrStatus, table.Number(int64(r.Status)))
	e.Set(table.AttrBody, table.Blob(r.Body))
	e.Set(attrExpires, table.Number(r.ExpiresAt.UnixMicro()))
	e.Set(table.TTLAttribute, table.Number(ttlOf(r.ExpiresAt)))
	e.Equal(attrHolder, table.Text(r.Holder))
	err := s.db.Update(ctx, s.config, recordKey(r.Tenant, r.Key), e)
	if err == nil {
		return nil
	}
	if _, err = s.db.Winner(ctx, err); err == nil {
		err = push.ErrConflict // repeating our own write finds our own holder, so this is another's
	}
	return fmt.Errorf("complete an idempotency key: %w", err)
}

// Release removes the record if the holder still holds it undone.
func (s *Store) Release(ctx context.Context, r idempotency.Record) error {
	var e table.Expression
	e.Equal(attrHolder, table.Text(r.Holder))
	e.Equal(attrDone, table.Boolean(false))
	err := s.db.Remove(ctx, s.config, recordKey(r.Tenant, r.Key), e)
	if err == nil {
		return nil
	}
	if _, err = s.db.Winner(ctx, err); err != nil {
		return fmt.Errorf("release an idempotency key: %w", err)
	}
	return nil
}

// PurgeExpired does nothing: TTL removes records, and until it does they count
// as absent.
func (*Store) PurgeExpired(context.Context, time.Time, int) (int, error) { return 0, nil }

// ttlOf is an expiry in whole seconds, not before the moment itself.
func ttlOf(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

func encodeRecord(r *idempotency.Record, w table.Nonce) table.Item {
	i := recordKey(r.Tenant, r.Key)
	i[table.AttrTenant], i[attrKeyText] = table.Text(r.Tenant), table.Text(r.Key)
	i[attrFingerprint], i[attrHolder] = table.Text(r.Fingerprint), table.Text(r.Holder)
	i[attrLease], i[attrExpires] = table.Number(r.LeaseUntil.UnixMicro()), table.Number(r.ExpiresAt.UnixMicro())
	i[attrDone], i[attrStatus], i[table.AttrBody] = table.Boolean(r.Done), table.Number(int64(r.Status)), table.Blob(r.Body)
	i[table.TTLAttribute], i[table.AttrWrite] = table.Number(ttlOf(r.ExpiresAt)), w.Value()
	return i
}

func decodeRecord(i table.Item) idempotency.Record {
	return idempotency.Record{
		Tenant: i.Text(table.AttrTenant), Key: i.Text(attrKeyText), Fingerprint: i.Text(attrFingerprint), Holder: i.Text(attrHolder),
		LeaseUntil: time.UnixMicro(i.Number(attrLease)).UTC(), ExpiresAt: time.UnixMicro(i.Number(attrExpires)).UTC(),
		Done: i.Flag(attrDone), Status: int(i.Number(attrStatus)), Body: i.Bytes(table.AttrBody),
	}
}
