package app

import (
	"context"
	"fmt"

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
