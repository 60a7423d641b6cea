package journal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// The document that has the key of an installation that was given none.
const (
	keyKind = "audit-key"
	keyName = "signing"
)

type keyDocument struct {
	Secret string `json:"secret"` // as audit.FormatSecret writes it
}

// ParseKeys reads the setting: keys as [audit.FormatSecret] writes them, separated by commas.
// The first one signs, the others did so before. The error repeats none of them.
func ParseKeys(setting string) (*audit.Keyring, error) {
	var keys []ed25519.PrivateKey
	for n, text := range strings.Split(setting, ",") {
		k, err := audit.ParseSecret(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("audit key %d: %w", n+1, err)
		}
		keys = append(keys, k)
	}
	return audit.NewKeyring(keys...)
}

// NewKey returns a new signing key.
func NewKey() (ed25519.PrivateKey, error) {
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an audit key: %w", err)
	}
	return secret, nil
}

// LoadKeys returns the keys of the setting, or without one the key that is kept in the store,
// making it if there is none: of several processes that start at once, one makes it. Who can
// read the store can then sign what he likes, so the setting is better.
func LoadKeys(ctx context.Context, setting string, docs document.Store, now time.Time) (*audit.Keyring, error) {
	if setting != "" {
		return ParseKeys(setting)
	}
	for {
		keys, err := StoredKeys(ctx, docs)
		if !errors.Is(err, push.ErrNotFound) {
			return keys, err
		}
		fresh, err := NewKey()
		if err != nil {
			return nil, err
		}
		doc := keyDocument{Secret: audit.FormatSecret(fresh)}
		if err := document.Save(ctx, docs, keyKind, keyName, 1, doc, now); err != nil && !errors.Is(err, push.ErrConflict) {
			return nil, err
		}
	}
}

// StoredKeys returns the key that is kept in the store, or push.ErrNotFound. It makes none.
func StoredKeys(ctx context.Context, docs document.Store) (*audit.Keyring, error) {
	var doc keyDocument
	if _, err := document.Load(ctx, docs, keyKind, keyName, &doc); err != nil {
		return nil, err
	}
	return ParseKeys(doc.Secret)
}

// ErrOtherKey says that a log is signed with a key that its store does not have: a head of the store's key would be taken
// for forged.
var ErrOtherKey = errors.New("the audit log is signed with a key that is not in the store: " +
	"give this command the BELFRY_AUDIT_KEY of the services, too")

// CheckStored returns [ErrOtherKey] if the log of a tenant ends with a head of another key than the one that is kept in its
// store, or of one while the store keeps none. It makes no key.
func CheckStored(ctx context.Context, log audit.Log, docs document.Store, tenant string) error {
	last, err := log.AuditBlocksBefore(ctx, tenant, math.MaxInt64, 1)
	if err != nil || len(last) == 0 {
		return err
	}
	keys, err := StoredKeys(ctx, docs)
	switch {
	case errors.Is(err, push.ErrNotFound):
		return ErrOtherKey
	case err != nil:
		return err
	case last[0].Head.Key != audit.KeyID(keys.Public()[0]):
		return ErrOtherKey
	}
	return nil
}
