package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of an idempotency record, in the table of configuration.
const (
	attrTenant      = "tenant"
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

// scoped is a tenant's name with its length in front, so that no name runs into
// what follows it.
func scoped(tenant string) string { return fmt.Sprintf("%d#%s", len(tenant), tenant) }

// recordKey hashes the caller's key, which may be longer than a partition key
// may be.
func recordKey(tenant, key string) item {
	sum := sha256.Sum256([]byte(key))
	return documentKey("idem#"+scoped(tenant)+"#"+base64.RawURLEncoding.EncodeToString(sum[:]), recordName)
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
	w := s.newNonce()
	i := encodeRecord(r, w)
	for range conflictTries {
		var e expression
		at := e.value("now", number(now.UnixMicro()))
		e.where(fmt.Sprintf("(attribute_not_exists(%s) OR %s <= %s OR (%s = %s AND %s <= %s))", e.name(attrKind),
			e.name(attrExpires), at, e.name(attrDone), e.value("open", boolean(false)), e.name(attrLease), at))
		_, err := s.put(ctx, s.config, i, e, false)
		if err == nil {
			return *r, true, nil
		}
		found, err := s.winner(ctx, err)
		switch {
		case err != nil:
			return idempotency.Record{}, false, err
		case found.nonceAt(attrWrite) == w:
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
	var e expression
	e.set(attrDone, boolean(true))
	e.set(attrStatus, number(int64(r.Status)))
	e.set(attrBody, blob(r.Body))
	e.set(attrExpires, number(r.ExpiresAt.UnixMicro()))
	e.set(TTLAttribute, number(ttlOf(r.ExpiresAt)))
	e.equal(attrHolder, text(r.Holder))
	err := s.update(ctx, s.config, recordKey(r.Tenant, r.Key), e)
	if err == nil {
		return nil
	}
	if _, err = s.winner(ctx, err); err == nil {
		err = push.ErrConflict // repeating our own write finds our own holder, so this is another's
	}
	return fmt.Errorf("complete an idempotency key: %w", err)
}

// Release removes the record if the holder still holds it undone.
func (s *Store) Release(ctx context.Context, r idempotency.Record) error {
	var e expression
	e.equal(attrHolder, text(r.Holder))
	e.equal(attrDone, boolean(false))
	err := s.remove(ctx, s.config, recordKey(r.Tenant, r.Key), e)
	if err == nil {
		return nil
	}
	if _, err = s.winner(ctx, err); err != nil {
		return fmt.Errorf("release an idempotency key: %w", err)
	}
	return nil
}

// PurgeExpired does nothing: TTL removes records, and until it does they count
// as absent.
func (*Store) PurgeExpired(context.Context, time.Time, int) (int, error) { return 0, nil }

// ttlOf is an expiry in whole seconds, not before the moment itself.
func ttlOf(t time.Time) int64 { return t.Add(time.Second - 1).Unix() }

func encodeRecord(r *idempotency.Record, w nonce) item {
	i := recordKey(r.Tenant, r.Key)
	i[attrTenant], i[attrKeyText] = text(r.Tenant), text(r.Key)
	i[attrFingerprint], i[attrHolder] = text(r.Fingerprint), text(r.Holder)
	i[attrLease], i[attrExpires] = number(r.LeaseUntil.UnixMicro()), number(r.ExpiresAt.UnixMicro())
	i[attrDone], i[attrStatus], i[attrBody] = boolean(r.Done), number(int64(r.Status)), blob(r.Body)
	i[TTLAttribute], i[attrWrite] = number(ttlOf(r.ExpiresAt)), w.value()
	return i
}

func decodeRecord(i item) idempotency.Record {
	return idempotency.Record{
		Tenant: i.text(attrTenant), Key: i.text(attrKeyText), Fingerprint: i.text(attrFingerprint), Holder: i.text(attrHolder),
		LeaseUntil: time.UnixMicro(i.number(attrLease)).UTC(), ExpiresAt: time.UnixMicro(i.number(attrExpires)).UTC(),
		Done: i.flag(attrDone), Status: int(i.number(attrStatus)), Body: i.bytes(attrBody),
	}
}
