package access

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// Sealer seals the signing secrets of keys. A purpose has to be given again to open what was
// sealed. Safe for concurrent use.
type Sealer interface {
	Seal(ctx context.Context, purpose string, secret []byte) ([]byte, error)
	Open(ctx context.Context, purpose string, sealed []byte) ([]byte, error)
}

// Demand is which requests of a caller must be signed.
type Demand uint8

// What must be signed.
const (
	SignNothing    Demand = iota // may be signed
	SignChanges                  // what changes something, as require_signed of the settings asks
	SignEverything               // as the key asks
)

// SecretPrefix begins the text of a signing secret (Standard Webhooks 1.0.0); base64 of the
// secret's bytes follows.
const SecretPrefix = "whsec_"

const secretBytes = 32 // Standard Webhooks asks for 24 to 64

// errNoSealer says that there is nothing to seal a secret with.
var errNoSealer = push.Faults{{
	Code:   push.FaultUnsupported,
	Detail: "what requests are signed with is kept sealed, and the server has no key for that: give it BELFRY_SEAL_KEY",
}}

// SealWith returns a directory that can keep signing secrets.
func (d *Directory) SealWith(s Sealer) *Directory {
	own := *d
	own.sealer = s
	return &own
}

func signingPurpose(tenant, id string) string { return "signing secret of " + tenant + "/" + id }

// EnableSigning gives a key a new signing secret and returns its text, which is not shown
// again; an earlier one is replaced. must says that the key opens nothing without a
// signature.
func (d *Directory) EnableSigning(ctx context.Context, tenant, id string, must bool) (string, Key, error) {
	if _, err := d.Key(ctx, tenant, id); err != nil {
		return "", Key{}, err
	}
	if d.sealer == nil {
		return "", Key{}, errNoSealer
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails, see its documentation
	sealed, err := d.sealer.Seal(ctx, signingPurpose(tenant, id), secret)
	if err != nil {
		return "", Key{}, fmt.Errorf("seal the signing secret of key %s: %w", id, err)
	}
	k, err := change(ctx, d, KindKey, id, func(k *Key) error {
		k.Signing, k.MustSign = sealed, must
		return nil
	})
	return SecretPrefix + base64.StdEncoding.EncodeToString(secret), k, err
}

// DisableSigning takes a key's signing secret away. The key then opens by its text alone.
func (d *Directory) DisableSigning(ctx context.Context, tenant, id string) (Key, error) {
	if _, err := d.Key(ctx, tenant, id); err != nil {
		return Key{}, err
	}
	return change(ctx, d, KindKey, id, func(k *Key) error {
		k.Signing, k.MustSign = nil, false
		return nil
	})
}

// openSecret returns a key's signing secret; nil if it has none.
func (d *Directory) openSecret(ctx context.Context, k *Key) ([]byte, error) {
	switch {
	case len(k.Signing) == 0:
		return nil, nil
	case d.sealer == nil:
		return nil, errors.New("a request is signed, and there is no key to open the signing secret with: give BELFRY_SEAL_KEY")
	}
	secret, err := d.sealer.Open(ctx, signingPurpose(k.Tenant, k.ID), k.Signing)
	if err != nil {
		return nil, fmt.Errorf("open the signing secret of key %s: %w", k.ID, err)
	}
	return secret, nil
}

// proven reports whether a signed request was made by who has the key's secret, and returns
// why not.
func (k *known) proven(p *Presented) error {
	if k.missing || p.Key != "" && !k.key.matches(hashOf(p.Key)) {
		return &DeniedError{reasonSignature}
	}
	if k.closed != nil {
		return k.closed
	}
	if len(k.secret) == 0 || !p.Proof(k.secret) {
		return &DeniedError{reasonSignature}
	}
	return nil
}

// demand is what a key, or else the settings, ask to be signed.
func (d *Directory) demand(ctx context.Context, k *Key, t *Tenant) (Demand, error) {
	if k.MustSign {
		return SignEverything, nil
	}
	p, err := d.PlatformSettings(ctx)
	if err != nil {
		return SignNothing, err
	}
	a, err := d.App(ctx, k.Tenant, k.App)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return SignNothing, err
	}
	if e := Inherit(p.Settings, t.Settings, a.Settings); *e.RequireSigned {
		return SignChanges, nil
	}
	return SignNothing, nil
}
