package httpapi

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/auditlog"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/following"
	"github.com/belfry-push/belfry/internal/httpapi/overview"
	"github.com/belfry-push/belfry/internal/httpapi/tenants"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/trace"
)

// AuditLog is what the routes of the audit log stand on.
type AuditLog = auditlog.Config

// Config is what the API is built from. Every field is required but Letters, Replays, Privacy, Usage,
// Quotas, Now and Version; all values must be safe for concurrent use.
type Config struct {
	// Tracer has requests told as spans; nil: nobody sees them.
	Tracer *trace.Tracer

	Intake   Intake
	Previews Previews
	Batches  Batches
	Devices  Devices
	Reports  Reports
	// Ledger says whose a notification is.
	Ledger Ledger
	// Directory keeps tenants, apps, API keys and roles.
	Directory tenants.Directory
	// Entrance says who is let in without a key.
	Entrance tenants.Entrance
	// Credentials keeps the FCM credentials of apps.
	Credentials Credentials
	// Letters and Replays serve the dead letters and their replays; without both
	// the API has no such routes.
	Letters deadletters.Letters
	Replays deadletters.Replays
	// Privacy serves exports and erasures of users; nil: there are no such routes.
	Privacy Privacy
	Pauses  Pauses
	// Answers keeps the first answer of a POST with an Idempotency-Key that the
	// intake does not deduplicate itself.
	Answers idempotency.Store
	Auth    door.Authenticator
	// Quotas are what callers are held to; nil: nothing, and the API has no such route.
	Quotas Quotas
	// Approvals says which requests need a second person, and serves what those decide on; nil:
	// none does, and the API has no such routes.
	Approvals Approvals
	// Audit keeps the audit log.
	Audit door.Auditor
	// AuditLog has the log to read.
	AuditLog AuditLog
	// Status says how the system is; without it the API has no such route.
	Status overview.Statuses
	// Breakers lets operators override breakers.
	Breakers Breakers
	// Events is where what happens is followed; without it the API has no such route.
	Events following.Hub
	// Usage says what tenants used; without it the API has no such route.
	Usage Usage
	// Pages keeps web pages of other origins out. Without an API key it must check the
	// Host header too.
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
		{"Previews", c.Previews != nil},
		{"Batches", c.Batches != nil},
		{"Devices", c.Devices != nil},
		{"Reports", c.Reports != nil},
		{"Ledger", c.Ledger != nil},
		{"Directory", c.Directory != nil},
		{"Entrance", c.Entrance != nil},
		{"Credentials", c.Credentials != nil},
		{"Pauses", c.Pauses != nil},
		{"Breakers", c.Breakers != nil},
		{"Answers", c.Answers != nil},
		{"Auth", c.Auth != nil},
		{"Audit", c.Audit != nil},
		{"AuditLog.Entries", c.AuditLog.Entries != nil},
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

// door returns the part of it that the door is built from.
func (c *Config) door() door.Config {
	out := door.Config{
		Answers: c.Answers, Auth: c.Auth, Approvals: c.Approvals, Audit: c.Audit, Pages: c.Pages,
		Registry: c.Registry, Log: c.Log, Now: c.Now, Tracer: c.Tracer,
		Rooms: ofRooms, About: about(c),
	}
	if c.Quotas != nil {
		out.Quotas = c.Quotas
	}
	return out
}
