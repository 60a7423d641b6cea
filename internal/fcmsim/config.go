package fcmsim

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"
)

const (
	// defaultMaxStreams is the MAX_CONCURRENT_STREAMS that Google's front ends are believed to announce (a remark in
	// the source of Go's HTTP/2 server; not documented by Google).
	defaultMaxStreams = 100
	// defaultConnections is far above what a sender keeps, and below what a process may have open.
	defaultConnections = 2048
	// defaultKeep is far more than a demo or a test of an app sends. keepBytes is what each of them may take on
	// average: one of a fanned-out message takes some 200 bytes, one with a text of its own 900.
	defaultKeep = 100_000
	keepBytes   = 256
)

// Config is what a simulator is built from. The zero value works: any free port on the loopback interface, plain HTTP,
// no authentication, no latency, no quota.
type Config struct {
	// Project is the Firebase project id. Default "belfry-sandbox".
	Project string
	// Listen is the address of the plain listener (HTTP/1.1 and HTTP/2 with prior knowledge). Default "127.0.0.1:0".
	Listen string
	// ListenTLS is the address of the TLS listener (HTTP/2 and HTTP/1.1, self-signed certificate). Empty: none.
	ListenTLS string

	// Latency is what an answer of the send endpoint takes. Zero: at once.
	Latency Latency
	// QuotaPerMinute is the number of sends a minute, 0 for no limit. FCM's default for a project is 600,000
	// (https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas).
	QuotaPerMinute int
	// MaxStreams is the number of requests at a time on one HTTP/2 connection, 0 for 100.
	MaxStreams int
	// RetryAfter is sent with the scripted QUOTA_EXCEEDED and UNAVAILABLE answers, in whole seconds, rounded up.
	// Zero: 1 s; negative: the header is left out.
	RetryAfter time.Duration

	// Lean serves HTTP/2 with package lean instead of net/http, and without TLS only: for benchmarks, in which the
	// simulator takes processor time from what is measured.
	Lean bool

	// RequireAuth asks for a bearer token issued by this simulator for the project that is sent to. Without it, every
	// request to any project is welcome. The names of messages are Project's in any case.
	RequireAuth bool
	// TokenTTL is the life of an access token, 0 for an hour as at Google.
	TokenTTL time.Duration
	// ServiceAccount is an earlier answer of Sim.ServiceAccountJSON whose key is to be used again, so that a
	// credential file outlives a restart. Empty: a new key.
	ServiceAccount []byte

	// AllowedHosts are further host names under which the simulator is reached, and whose web pages may send requests;
	// see sameorigin.Config.
	AllowedHosts []string
	// MaxConnections bounds the open connections of each listener. Zero: 2,048.
	MaxConnections int

	// Keep is how many accepted messages are kept for Accepted, as long as they take no more than 256 bytes on average: the
	// oldest are dropped. Figures look back as far. Zero: 100,000, in 25 MB.
	Keep int
	// Seed makes latency, outage shares and message names repeat from run to run.
	Seed uint64
	// Logger hears of starts, stops and changes of faults, never of tokens. Nil: nobody does.
	Logger *zap.Logger
	// Now is the clock of expiry, outages and quota. Nil: time.Now.
	Now func() time.Time
}

// withDefaults fills in what was left out and reports all faults at once.
func (c Config) withDefaults() (Config, error) {
	faults := []error{c.Latency.Validate()}
	if c.QuotaPerMinute < 0 {
		faults = append(faults, fmt.Errorf("quota per minute: must not be negative (got %d)", c.QuotaPerMinute))
	}
	if c.MaxStreams < 0 || c.MaxStreams > math.MaxInt32 {
		faults = append(faults, fmt.Errorf("max streams: must be 0 to %d (got %d)", math.MaxInt32, c.MaxStreams))
	}
	if c.TokenTTL < 0 {
		faults = append(faults, fmt.Errorf("token TTL: must not be negative (got %v)", c.TokenTTL))
	}
	if c.MaxConnections < 0 {
		faults = append(faults, fmt.Errorf("max connections: must not be negative (got %d)", c.MaxConnections))
	}
	if c.Lean && c.ListenTLS != "" {
		faults = append(faults, errors.New("lean: serves without TLS only (got a TLS listener too)"))
	}
	if c.Keep < 0 {
		faults = append(faults, fmt.Errorf("keep: must not be negative (got %d)", c.Keep))
	}
	setDefault(&c.Project, "belfry-sandbox")
	setDefault(&c.Listen, "127.0.0.1:0")
	setDefault(&c.MaxStreams, defaultMaxStreams)
	setDefault(&c.RetryAfter, time.Second)
	setDefault(&c.TokenTTL, time.Hour)
	setDefault(&c.Keep, defaultKeep)
	setDefault(&c.MaxConnections, defaultConnections)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, errors.Join(faults...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
