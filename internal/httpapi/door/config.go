package door

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/sameorigin"
	"github.com/belfry-push/belfry/internal/trace"
)

// Config is what a door stands on. What is given must be safe for concurrent
// use. Pages, Registry and Log are required; Auth where a route is not open, and
// Answers where one keeps its first answer.
type Config struct {
	// Answers keeps the first answer of a POST with an Idempotency-Key, see [Once].
	Answers idempotency.Store
	Auth    Authenticator
	// Quotas bounds how many requests callers make; nil: nothing does.
	Quotas Quotas
	// Approvals says which requests need a second person; nil: none.
	Approvals Approvals
	// Audit keeps the audit log; nil: there is none.
	Audit Auditor
	// Pages keeps the web pages of others out.
	Pages    *sameorigin.Guard
	Registry prometheus.Registerer // takes the door's metrics
	Log      *zap.Logger
	Now      func() time.Time // nil: time.Now
	// Rooms returns what an error of a room is to the caller, and nil for any other.
	// The errors that all rooms share, those of package push, are known without it.
	Rooms func(error) *RefusalError
	// Tracer has requests told as spans; nil: nobody sees them.
	Tracer *trace.Tracer
	// About is what the OpenAPI document says beside the routes; nil: there is no
	// document.
	About *About

	// Silence is how long an upload may stay silent; 0: 30 seconds.
	Silence time.Duration
	// Free is how many bytes a compressed body may give before it is refused for
	// growing beyond reason; 0: 64 MiB.
	Free int64
}

// filled returns c with what was left to the door.
func (c Config) filled() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Silence == 0 {
		c.Silence = streamPatience
	}
	if c.Free == 0 {
		c.Free = expansionFree
	}
	return c
}
