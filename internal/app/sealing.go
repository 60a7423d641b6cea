package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/kms"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// NewRing returns the keys that seal credentials. Without any, it seals and opens nothing.
func NewRing(ctx context.Context, s *Service, c config.Seal) (*credential.Ring, error) {
	var service credential.DataKeys
	if c.KMSKey != "" {
		cfg, err := awsconf.Load(ctx, awsconf.Options{Version: telemetry.Version()})
		if err != nil {
			return nil, fmt.Errorf("BELFRY_SEAL_KMS_KEY: %w", err)
		}
		if s.Backend.Meter != nil {
			cfg = awsconf.Observe(cfg, s.Log, s.Backend.Meter)
		}
		service = kms.New(cfg, c.KMSKey)
	}
	ring, err := credential.NewRing(c.Key.Reveal(), service)
	if err != nil {
		return nil, fmt.Errorf("BELFRY_SEAL_KEY: %w", err)
	}
	return ring, nil
}

// Sealer returns what seals signing secrets with a ring; nil if it seals nothing.
func Sealer(ring *credential.Ring) access.Sealer {
	if !ring.Seals() {
		return nil
	}
	return ringSealer{ring}
}

// ringSealer writes what a ring seals as JSON.
type ringSealer struct{ ring *credential.Ring }

// Seal implements [access.Sealer].
func (r ringSealer) Seal(ctx context.Context, purpose string, secret []byte) ([]byte, error) {
	sealed, err := r.ring.Seal(ctx, secret, purpose)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealed)
}

// Open implements [access.Sealer].
func (r ringSealer) Open(ctx context.Context, purpose string, text []byte) ([]byte, error) {
	var sealed credential.Sealed
	if err := json.Unmarshal(text, &sealed); err != nil {
		return nil, fmt.Errorf("read what is sealed: %w", err)
	}
	return r.ring.Open(ctx, &sealed, purpose)
}
