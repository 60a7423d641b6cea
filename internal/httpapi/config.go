package httpapi

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Config is what the door stands on. Every field is required but DeadLetters, Now
// and Version; what is given must be safe for concurrent use.
type Config struct {
	Intake  Intake
	Batches Batches
	Devices Devices
	Reports Reports
	// DeadLetters serves the dead letters and their replays; nil: the API has no
	// such routes.
	DeadLetters DeadLetters
	// Operator is the tenant whose key works on the letters of all tenants, and on
	// those that name none; any other sees its own only. "": there is none.
	Operator string
	// Answers keeps the first answer of a POST with an Idempotency-Key that the
	// intake does not deduplicate itself.
	Answers idempotency.Store
	Auth    Authenticator
	// Pages keeps the web pages of others out. Without an API key it must look at
	// the Host header too.
	Pages    *sameorigin.Guard
	Health   Health
	Registry *prometheus.Registry // takes the door's metrics and is served at /metrics
	Log      *zap.Logger
	Now      func() time.Time // nil: time.Now
	Version  string           // of the program, for the OpenAPI document
}

// check names every field that is missing.
func (c *Config) check() error {
	var errs []error
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"Intake", c.Intake != nil},
		{"Batches", c.Batches != nil},
		{"Devices", c.Devices != nil},
		{"Reports", c.Reports != nil},
		{"Answers", c.Answers != nil},
		{"Auth", c.Auth != nil},
		{"Pages", c.Pages != nil},
		{"Health", c.Health != nil},
		{"Registry", c.Registry != nil},
		{"Log", c.Log != nil},
	} {
		if !f.given {
			errs = append(errs, fmt.Errorf("http api: %s: required", f.name))
		}
	}
	return errors.Join(errs...)
}
