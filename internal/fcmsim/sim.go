package fcmsim

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Sim is one simulator. It is safe for concurrent use.
type Sim struct {
	cfg        Config
	mux        *http.ServeMux // everything but the send endpoint
	namePrefix string
	okHeader   http.Header // of the answer to an accepted message

	bodies     *templates
	script     *script
	outage     *outage
	substitute *substitute
	refusals   refusals
	latency    *delay
	quota      *quota

	ledger   *ledger
	census   *census
	counters counters
	epoch    atomic.Uint64 // grows with every reset

	account *account
	tokens  *tokens
	refused map[string]verdict // by reason: bearer tokens that are not welcome

	pages    *sameorigin.Guard // keeps web pages out
	stopping chan struct{}     // closed when hung requests must end
	scratch  sync.Pool         // of *scratch
	h2       *h2server

	mu         sync.Mutex
	plain, enc *front
	cert       *certificate
	stopped    bool
}

// New checks the configuration, all of it, and builds a simulator that does not listen yet.
func New(cfg Config) (*Sim, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("fcmsim: %w", err)
	}
	chance := &dice{seed: cfg.Seed}
	s := &Sim{
		cfg:        cfg,
		namePrefix: "projects/" + cfg.Project + "/messages/0:",
		okHeader:   http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
		bodies:     newTemplates(cfg.BodyBudget),
		script:     newScript(retryAfterHeader(cfg.RetryAfter)),
		outage:     &outage{dice: chance},
		substitute: &substitute{dice: chance},
		latency:    &delay{dice: chance},
		quota:      &quota{},
		ledger:     &ledger{},
		census:     newCensus(),
		tokens:     newTokens(),
		refused:    make(map[string]verdict),
		stopping:   make(chan struct{}),
	}
	s.scratch.New = func() any { return &scratch{} }
	for _, reason := range []string{reasonMissing, reasonUnknown, reasonExpired} {
		s.refused[reason] = answered(unauthenticated(reason))
	}
	if s.account, err = newAccount(cfg.Project, cfg.ServiceAccount); err != nil {
		return nil, err
	}
	if s.pages, err = sameorigin.New(sameorigin.Config{Listen: cfg.Listen, Allowed: cfg.AllowedHosts}); err != nil {
		return nil, fmt.Errorf("fcmsim: %w", err)
	}
	s.mux = s.routes()
	s.h2 = newH2Server(s, s)
	s.Reset()
	return s, nil
}

func retryAfterHeader(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return strconv.FormatInt(wholeSeconds(d), 10)
}

// wholeSeconds rounds up to seconds, and to at least one.
func wholeSeconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// Start begins to listen. It returns when clients can connect, and fails if an address is taken or the simulator was
// started before.
func (s *Sim) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain != nil || s.stopped {
		return errors.New("fcmsim: a simulator starts once")
	}
	plain, err := listen(s.cfg, s.cfg.Listen, nil, s, s.h2)
	if err != nil {
		return err
	}
	if s.cfg.ListenTLS != "" {
		if s.cert, err = newCertificate(s.cfg.Now()); err == nil {
			s.enc, err = listen(s.cfg, s.cfg.ListenTLS, s.cert.config(), s, s.h2)
		}
		if err != nil {
			return errors.Join(err, plain.refuse(), plain.close(context.Background()))
		}
	}
	s.plain = plain
	s.cfg.Logger.Info("FCM simulator listens", zap.String("url", s.plain.listener.Addr().String()),
		zap.String("project", s.cfg.Project))
	return nil
}

// Stop stops listening and lets requests finish until ctx ends; then it cuts them off and returns ctx's error. Hung
// requests are cut off at once. A simulator that was never started, or was stopped before, stops without error.
func (s *Sim) Stop(ctx context.Context) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil
	}
	s.stopped = true
	s.mu.Unlock() // requests that are still to finish may need it

	close(s.stopping)
	var failed []error
	fronts := s.fronts()
	for _, f := range fronts {
		failed = append(failed, f.refuse())
	}
	failed = append(failed, s.h2.close(ctx))
	for _, f := range fronts {
		failed = append(failed, f.close(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("fcmsim: stop: %w", err)
	}
	return nil
}

// URL returns the base URL of the plain listener up to /v1, as BELFRY_FCM_ENDPOINT takes it; empty before Start.
func (s *Sim) URL() string { return s.origin("http", "/v1") }

// URLTLS returns the base URL of the TLS listener up to /v1; empty before Start and without Config.ListenTLS.
func (s *Sim) URLTLS() string { return s.origin("https", "/v1") }

// AdminURL returns the base URL of the admin side, up to /_sim; empty before Start.
func (s *Sim) AdminURL() string { return s.origin("http", "/_sim") }

// TokenURL returns the OAuth 2.0 token endpoint; empty before Start.
func (s *Sim) TokenURL() string { return s.origin("http", "/token") }

func (s *Sim) origin(scheme, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.plain
	if scheme == "https" {
		f = s.enc
	}
	if f == nil {
		return ""
	}
	return scheme + "://" + f.listener.Addr().String() + path
}

// CertPEM returns the certificate of the TLS listener; nil before Start and without Config.ListenTLS.
func (s *Sim) CertPEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert == nil {
		return nil
	}
	return s.cert.pem
}

// CertPool returns a pool with the certificate of the TLS listener, for a client's RootCAs.
func (s *Sim) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CertPEM())
	return pool
}

// ServiceAccountJSON returns a service-account file whose key this simulator knows and whose token_uri points to it;
// call it after Start. It works with golang.org/x/oauth2/google and the official clients.
func (s *Sim) ServiceAccountJSON() []byte { return s.account.file(s.TokenURL()) }

// IssueToken returns an access token as the token endpoint would, good for ttl.
func (s *Sim) IssueToken(ttl time.Duration) string {
	now := s.cfg.Now()
	return s.tokens.issue(now, now.Add(ttl))
}

// RevokeTokens makes every access token issued so far worthless, as a deleted key does. New ones can be had.
func (s *Sim) RevokeTokens() { s.tokens.revoke() }

// Stats returns what happened so far.
func (s *Sim) Stats() Stats {
	st := Stats{ByCode: make(map[string]uint64), Connections: s.counters.connections.Load()}
	for c := range codeCount {
		if n := s.counters.byCode[c].Load(); n > 0 {
			st.ByCode[c.String()] = n
			st.Requests += n
		}
	}
	st.Accepted, st.UniqueTokens, st.Duplicates = s.census.update(s.ledger)
	return st
}

// Accepted iterates over the messages accepted up to now, oldest first. It holds no lock while it runs.
func (s *Sim) Accepted() iter.Seq[Accepted] {
	return func(yield func(Accepted) bool) {
		for number, r := range s.ledger.since(0) {
			if !yield(s.expand(number, r, true)) {
				return
			}
		}
	}
}

// Outage begins, changes or, with share 0, ends an outage.
func (s *Sim) Outage(o Outage) error {
	if err := o.validate(); err != nil {
		return fmt.Errorf("fcmsim: outage: %w", err)
	}
	s.outage.set(o, s.cfg.Now())
	s.cfg.Logger.Info("simulated outage changed", zap.Int("status", o.Status), zap.Float64("share", o.Share),
		zap.Duration("for", o.For))
	return nil
}

// Substitute lets somebody else answer in FCM's place, changes that or, with share 0, ends it.
func (s *Sim) Substitute(with Substitute) error {
	if err := with.validate(); err != nil {
		return fmt.Errorf("fcmsim: substitute: %w", err)
	}
	s.substitute.set(with, s.cfg.Now())
	s.cfg.Logger.Info("simulated substitute changed", zap.Int("status", with.Status), zap.Float64("share", with.Share),
		zap.Duration("for", with.For))
	return nil
}

// Refuse makes FCM refuse what goes to a platform or, with an empty As, ends that.
func (s *Sim) Refuse(r Refusal) error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("fcmsim: refusal: %w", err)
	}
	s.refusals.set(r)
	s.cfg.Logger.Info("simulated refusal changed", zap.String("platform", r.Platform), zap.String("as", r.As))
	return nil
}

// SetLatency changes how long answers take from here on.
func (s *Sim) SetLatency(l Latency) error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("fcmsim: %w", err)
	}
	s.latency.set(l)
	return nil
}

// SetQuota changes the number of sends a minute, 0 for no limit, and begins a new minute.
func (s *Sim) SetQuota(perMinute int) error {
	if perMinute < 0 {
		return fmt.Errorf("fcmsim: quota per minute: must not be negative (got %d)", perMinute)
	}
	s.quota.set(perMinute)
	return nil
}

// GoAway sends a GOAWAY frame on every HTTP/2 connection. Requests that have arrived are answered, new ones must use a
// new connection; the old one is closed a second after its last answer. HTTP/1.1 connections are left alone.
func (s *Sim) GoAway() { s.h2.goAway() }

// fronts are those that were opened.
func (s *Sim) fronts() []*front {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc([]*front{s.plain, s.enc}, func(f *front) bool { return f == nil })
}

// Reset forgets messages, figures and the history of scripted tokens, ends outage, substitute and refusals, and returns latency and quota to
// their configured values. Connections and access tokens stay.
func (s *Sim) Reset() {
	s.epoch.Add(1)
	s.census.reset(s.ledger)
	s.counters.reset()
	s.script.reset()
	s.bodies.reset()
	s.outage.set(Outage{}, s.cfg.Now())
	s.substitute.set(Substitute{}, s.cfg.Now())
	s.refusals.reset()
	s.latency.set(s.cfg.Latency)
	s.quota.set(s.cfg.QuotaPerMinute)
}
