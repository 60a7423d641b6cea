package journal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
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
		var doc keyDocument
		_, err := document.Load(ctx, docs, keyKind, keyName, &doc)
		switch {
		case err == nil:
			return ParseKeys(doc.Secret)
		case !errors.Is(err, push.ErrNotFound):
			return nil, err
		}
		fresh, err := NewKey()
		if err != nil {
			return nil, err
		}
		doc.Secret = audit.FormatSecret(fresh)
		if err := document.Save(ctx, docs, keyKind, keyName, 1, doc, now); err != nil && !errors.Is(err, push.ErrConflict) {
			return nil, err
		}
	}
}
