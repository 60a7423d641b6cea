package privacy

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Hash names a user or an address of a tenant without revealing it: the first half of an
// HMAC-SHA256 under a key of the installation. Two of a million collide with a chance of
// 1 in 10^26.
type Hash [16]byte

// MarshalText implements [encoding.TextMarshaler]: base64url without padding.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// String returns the hash as base64url without padding.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(b []byte) error {
	if n, err := base64.RawURLEncoding.Decode(h[:], b); err != nil || n != len(h) || base64.RawURLEncoding.DecodedLen(len(b)) != len(h) {
		return errors.New("a hash must have 16 bytes as base64url")
	}
	return nil
}

// Keys are the secrets of an installation's privacy requests. They are documents, so that every
// process has the same and a backup has them too.
type Keys struct {
	hash   []byte
	signer ed25519.PrivateKey
}

const kindKey = "privacy-key"

// keyItem is a stored key.
type keyItem struct {
	Secret []byte `json:"secret"`
}

// LoadKeys returns the keys, and makes them the first time. Call it when a process starts, so
// that every backup has them: without the key of its hashes a tombstone says nothing.
func LoadKeys(ctx context.Context, docs document.Store, now time.Time) (*Keys, error) {
	hash, err := loadKey(ctx, docs, "hash", sha256.Size, now)
	if err != nil {
		return nil, err
	}
	seed, err := loadKey(ctx, docs, "signature", ed25519.SeedSize, now)
	if err != nil {
		return nil, err
	}
	return &Keys{hash: hash, signer: ed25519.NewKeyFromSeed(seed)}, nil
}

func loadKey(ctx context.Context, docs document.Store, name string, size int, now time.Time) ([]byte, error) {
	for range conflictTries {
		var k keyItem
		_, err := document.Load(ctx, docs, kindKey, name, &k)
		if err == nil && len(k.Secret) != size {
			err = fmt.Errorf("has %d bytes, not %d", len(k.Secret), size)
		}
		if err == nil {
			return k.Secret, nil
		}
		if !errors.Is(err, push.ErrNotFound) {
			return nil, fmt.Errorf("privacy key %s: %w", name, err)
		}
		k.Secret = make([]byte, size)
		_, _ = rand.Read(k.Secret) // never fails
		if err := document.Save(ctx, docs, kindKey, name, 1, k, now); err != nil && !errors.Is(err, push.ErrConflict) {
			return nil, fmt.Errorf("make privacy key %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("privacy key %s: %w", name, push.ErrConflict)
}

// conflictTries bounds how often a write is repeated that met another one.
const conflictTries = 20

// User returns the hash of a tenant's user.
func (k *Keys) User(tenant, id string) Hash { return k.sum(tenant, "user", id) }

// Address returns the hash of an address as a tenant has it.
func (k *Keys) Address(tenant string, a push.Address) Hash {
	return k.sum(tenant, string(a.Kind), a.Value.Reveal())
}

func (k *Keys) sum(tenant, kind, value string) (h Hash) {
	m := hmac.New(sha256.New, k.hash)
	buf := make([]byte, 0, 256)
	buf = append(append(buf, tenant...), 0) // no tenant or kind has a NUL
	buf = append(append(buf, kind...), 0)
	_, _ = m.Write(append(buf, value...)) // never fails
	copy(h[:], m.Sum(buf[:0]))
	return h
}
