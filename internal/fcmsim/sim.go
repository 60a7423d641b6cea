package fcmsim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/connlimit"
	"github.com/belfry-push/belfry/internal/fcmsim/lean"
	"github.com/belfry-push/belfry/internal/fcmsim/oauth"
	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// What is set and what comes out is described where it takes effect.
type (
	// Latency is how long answers take.
	Latency = sendapi.Latency
	// Outage is a failure of the whole send endpoint.
	Outage = sendapi.Outage
	// Substitute is an answer that somebody else gives in FCM's place.
	Substitute = sendapi.Substitute
	// Refusal makes FCM refuse what goes to a platform.
	Refusal = sendapi.Refusal
	// Stats is what happened so far.
	Stats = sendapi.Stats
	// Accepted is a message that was accepted.
	Accepted = sendapi.Accepted
)

// server serves one listener.
type server interface {
	Addr() net.Addr
	GoAway()
	Stop(ctx context.Context) error
}

// Both servers.
var (
	_ server = (*front)(nil)
	_ server = (*lean.Server)(nil)
)

// Sim is one simulator. It is safe for concurrent use.
type Sim struct {
	cfg   Config
	sends *sendapi.API
	oauth *oauth.Endpoint
	pages *sameorigin.Guard // keeps web pages out
	mux   *http.ServeMux    // everything but the send endpoint

	mu         sync.Mutex
	plain, enc server
	cert       *certificate
	stopped    bool
}

// New checks the configuration, all of it, and builds a simulator that does not listen yet.
func New(cfg Config) (*Sim, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("fcmsim: %w", err)
	}
	s := &Sim{cfg: cfg}
	s.oauth, err = oauth.New(oauth.Config{Project: cfg.Project, Earlier: cfg.ServiceAccount, TTL: cfg.TokenTTL, Now: cfg.Now, URL: s.TokenURL})
	if err != nil {
		return nil, fmt.Errorf("fcmsim: %w", err)
	}
	sends := sendapi.Config{
		Project: cfg.Project, Latency: cfg.Latency, QuotaPerMinute: cfg.QuotaPerMinute, RetryAfter: cfg.RetryAfter,
		Keep: cfg.Keep, KeepBytes: int64(cfg.Keep) * keepBytes, Seed: cfg.Seed, Now: cfg.Now,
	}
	if cfg.RequireAuth {
		sends.Tokens = s.oauth.Tokens()
	}
	s.sends = sendapi.New(sends)
	if s.pages, err = sameorigin.New(sameorigin.Config{Listen: cfg.Listen, Allowed: cfg.AllowedHosts}); err != nil {
		return nil, fmt.Errorf("fcmsim: %w", err)
	}
	s.mux = s.routes()
	return s, nil
}

// ServeHTTP implements [http.Handler], for every path and every version of HTTP.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	if r.Method == http.MethodPost {
		if project, ok := sendapi.Path(r.URL.Path); ok {
			s.sends.Serve(w, r, project)
			return
		}
	}
	s.mux.ServeHTTP(w, r)
}

// Start begins to listen. It returns when clients can connect, and fails if an address is taken or the simulator was
// started before.
func (s *Sim) Start() error {
	if err := s.start(); err != nil {
		return err
	}
	s.cfg.Logger.Info("FCM simulator is up; nothing goes to Google", zap.String("endpoint", s.URL()),
		zap.String("project", s.cfg.Project))
	return nil
}

func (s *Sim) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plain != nil || s.stopped {
		return errors.New("fcmsim: a simulator starts once")
	}
	plain, err := s.listen(s.cfg.Listen, nil)
	if err != nil {
		return err
	}
	if s.cfg.ListenTLS != "" {
		if s.cert, err = newCertificate(s.cfg.Now()); err == nil {
			s.enc, err = s.listen(s.cfg.ListenTLS, s.cert.config())
		}
		if err != nil {
			s.enc = nil
			return errors.Join(err, plain.Stop(context.Background()))
		}
	}
	s.plain = plain
	return nil
}

// listen serves an address, over TLS unless encryption is nil.
func (s *Sim) listen(address string, encryption *tls.Config) (server, error) {
	inner, err := net.Listen("tcp", address) //nolint:noctx // a local listener is bound at once
	if err != nil {
		return nil, fmt.Errorf("fcmsim: listen: %w", err)
	}
	beyond := connlimit.Busy
	if encryption != nil {
		beyond = "" // nothing can be said before a handshake
	}
	l := connlimit.New(inner, s.cfg.MaxConnections, beyond, s.cfg.Logger)
	var out server
	if s.cfg.Lean {
		out, err = lean.Serve(l, lean.Config{API: s.sends, Handler: s, MaxStreams: s.cfg.MaxStreams, Now: s.cfg.Now, Logger: s.cfg.Logger})
	} else {
		out, err = serve(l, s.cfg, encryption, s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fcmsim: serve: %w", err), l.Close())
	}
	return out, nil
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

	s.sends.Stop()
	servers := s.servers()
	failed := make([]error, len(servers))
	var all sync.WaitGroup
	for i, each := range servers {
		all.Go(func() { failed[i] = each.Stop(ctx) })
	}
	all.Wait()
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
	return scheme + "://" + f.Addr().String() + path
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
func (s *Sim) ServiceAccountJSON() []byte { return s.oauth.ServiceAccount() }

// ServiceAccountOf returns such a file of any project. With Config.RequireAuth its tokens are good for that
// project's messages only.
func (s *Sim) ServiceAccountOf(project string) []byte { return s.oauth.ServiceAccountOf(project) }

// DisableAccount lets the account of a project get no access tokens any more, and makes those that it has worthless, as
// a deleted key does; with false it gets some again.
func (s *Sim) DisableAccount(project string, disabled bool) { s.oauth.Disable(project, disabled) }

// IssueToken returns an access token as the token endpoint would, good for ttl.
func (s *Sim) IssueToken(ttl time.Duration) string {
	now := s.cfg.Now()
	return s.oauth.Tokens().Issue(now, now.Add(ttl))
}

// RevokeTokens makes every access token issued so far worthless, as a deleted key does. New ones can be had.
func (s *Sim) RevokeTokens() { s.oauth.Tokens().Revoke() }

// Stats returns what happened so far.
func (s *Sim) Stats() Stats { return s.sends.Stats() }

// Accepted iterates over the messages accepted up to now that are kept, oldest first. It holds no lock while it runs.
func (s *Sim) Accepted() iter.Seq[Accepted] { return s.sends.Accepted(true) }

// Outage begins, changes or, with share 0, ends an outage.
func (s *Sim) Outage(o Outage) error {
	if err := s.sends.SetOutage(o); err != nil {
		return fmt.Errorf("fcmsim: outage: %w", err)
	}
	s.cfg.Logger.Info("simulated outage changed", zap.Int("status", o.Status), zap.Float64("share", o.Share),
		zap.Duration("for", o.For))
	return nil
}

// Substitute lets somebody else answer in FCM's place, changes that or, with share 0, ends it.
func (s *Sim) Substitute(with Substitute) error {
	if err := s.sends.SetSubstitute(with); err != nil {
		return fmt.Errorf("fcmsim: substitute: %w", err)
	}
	s.cfg.Logger.Info("simulated substitute changed", zap.Int("status", with.Status), zap.Float64("share", with.Share),
		zap.Duration("for", with.For))
	return nil
}

// Refuse makes FCM refuse what goes to a platform or, with an empty As, ends that.
func (s *Sim) Refuse(r Refusal) error {
	if err := s.sends.SetRefusal(r); err != nil {
		return fmt.Errorf("fcmsim: refusal: %w", err)
	}
	s.cfg.Logger.Info("simulated refusal changed", zap.String("platform", r.Platform), zap.String("as", r.As))
	return nil
}

// SetLatency changes how long answers take from here on.
func (s *Sim) SetLatency(l Latency) error {
	if err := s.sends.SetLatency(l); err != nil {
		return fmt.Errorf("fcmsim: %w", err)
	}
	return nil
}

// SetQuota changes the number of sends a minute, 0 for no limit, and begins a new minute.
func (s *Sim) SetQuota(perMinute int) error {
	if perMinute < 0 {
		return fmt.Errorf("fcmsim: quota per minute: must not be negative (got %d)", perMinute)
	}
	s.sends.SetQuota(perMinute)
	return nil
}

// GoAway says goodbye to every connection, as a server that restarts. HTTP/2 gets a GOAWAY frame: requests that have
// arrived are answered, new ones must use a new connection; the old one is closed a second after its last answer.
// HTTP/1.1 connections are closed after the request under way.
func (s *Sim) GoAway() {
	for _, each := range s.servers() {
		each.GoAway()
	}
}

// servers are those of the listeners that were opened.
func (s *Sim) servers() []server {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []server
	for _, each := range []server{s.plain, s.enc} {
		if each != nil {
			out = append(out, each)
		}
	}
	return out
}

// Reset forgets messages, figures and the history of scripted tokens, ends outage, substitute and refusals, and
// returns latency and quota to their configured values. Connections and access tokens stay.
func (s *Sim) Reset() { s.sends.Reset() }
