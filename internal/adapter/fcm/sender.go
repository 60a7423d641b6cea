package fcm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/nethttp"
	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// client is a transport of the sender. Package transporttest tests its contract.
type client interface {
	// Do sends one request, exactly once, and waits for its answer. The error is a
	// [*transport.Error], or what ctx said if the request was certainly not sent.
	Do(ctx context.Context, h *transport.Header, body []byte, resp *transport.Response) error
	// Connections returns how many connections are in service.
	Connections() int
	// Close waits for the requests under way until ctx ends, then closes all
	// connections. The error is ctx's.
	Close(ctx context.Context) error
}

// Both transports.
var (
	_ client = (*h2.Client)(nil)
	_ client = (*nethttp.Client)(nil)
)

// Sender sends to FCM on behalf of one project, with one credential. It is safe for concurrent
// use.
type Sender struct {
	pool       *Pool
	own        bool // the pool is closed with the sender
	tokens     *tokenCache
	noNames    noNameLog
	credential *credentialState
}

// New returns a sender with a [Pool] of its own and opens its connections. It is not an error if
// FCM cannot be reached or the credential yields no token: sends fail until that changes. End the
// sender with [Sender.Close].
func New(ctx context.Context, cfg Config, log *zap.Logger, m *Metrics) (*Sender, error) {
	if err := checkProject(cfg.Project); err != nil {
		_, others := cfg.setDefaults()
		return nil, fmt.Errorf("FCM sender: %w", errors.Join(err, others))
	}
	p, err := NewPool(ctx, cfg, log, m)
	if err != nil {
		return nil, err
	}
	s, err := p.Sender(Identity{Project: cfg.Project, Tokens: cfg.TokenSource, Shown: true})
	if err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	s.own = true
	return s, nil
}

// open opens the transport that cfg asks for. Through is the proxy, nil for none.
func open(ctx context.Context, cfg Config, to target, through *url.URL, log *zap.Logger, m *Metrics) (client, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		secure = cfg.TLS
	}
	var dial func(ctx context.Context, network, addr string) (net.Conn, error)
	if through != nil {
		dial = proxy.NewTunnel(through, cfg.TLS).DialContext
	}
	if cfg.HTTP == NetHTTP {
		return nethttp.New(nethttp.Config{
			Secure: to.scheme == "https", TLS: secure, Timeout: cfg.Timeout, Dial: dial,
			Connections: cfg.Connections, MaxStreams: cfg.MaxStreams, OnConnections: m.connectionsOf(),
		})
	}
	own := h2.Config{
		Addr: to.addr, Timeout: cfg.Timeout, Dial: dial,
		Connections: cfg.Connections, MaxStreams: cfg.MaxStreams, OnConnections: m.connectionsOf(),
	}
	if to.scheme == "https" {
		own.TLS = secure
	}
	return h2.New(ctx, own, log)
}

// Send makes exactly one HTTP request unless FCM refuses the access token. FCM has not accepted a
// message that it answers with 401, and a token may be revoked or its key replaced; so Send repeats
// the same request once, at once, with a new token if there is one. Body is a whole send request,
// {"message":{…}}, and must not change until Send returns. Send returns the name that FCM gave the
// message; an answer of 2xx without a name is an error, because it does not say that FCM accepted
// the message. The error is a [*push.Error], or ctx's error if ctx ended before the request was
// sent.
func (s *Sender) Send(ctx context.Context, body []byte) (name string, err error) {
	bearer, err := s.tokens.get(ctx)
	if err != nil {
		return "", s.failed(err)
	}
	name, err = s.send(ctx, bearer, body)
	if push.CodeOf(err) != push.CodeFCMUnauthorized {
		return name, err
	}
	next, noToken := s.tokens.replace(ctx, bearer)
	switch {
	case noToken != nil:
		return "", s.failed(noToken)
	case next == nil:
		s.credential.rejected(err)
		return "", err
	}
	name, err = s.send(ctx, next, body)
	if push.CodeOf(err) == push.CodeFCMUnauthorized {
		s.credential.rejected(err)
	}
	return name, err
}

// Credential returns nil unless the access token is known to be missing or refused. The error says
// what is wrong and names its source.
func (s *Sender) Credential() error { return s.credential.check() }

// Refused returns nil unless Google refuses the credential, as far as it was asked.
func (s *Sender) Refused() error { return s.credential.refusal() }

// Token returns when the present access token was fetched and when it expires, both zero if there is none.
func (s *Sender) Token() (fetched, expires time.Time) {
	if b := s.tokens.current.Load(); b != nil {
		return b.fetched, b.expires
	}
	return time.Time{}, time.Time{}
}

// send makes one request with a token.
func (s *Sender) send(ctx context.Context, bearer *bearer, body []byte) (name string, err error) {
	answer, _ := s.pool.answers.Get().(*transport.Response)
	defer s.pool.answers.Put(answer)

	s.pool.metrics.inFlight.Inc()
	start := time.Now()
	err = s.pool.client.Do(ctx, bearer.header, body, answer)
	s.pool.metrics.inFlight.Dec()
	if err != nil {
		return "", s.failed(classifyTransport(err))
	}
	s.pool.metrics.answer.Observe(time.Since(start).Seconds())

	if answer.Status >= 200 && answer.Status <= 299 {
		if name = nameOf(answer.Body); name == "" {
			failure := noNameError(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
			s.noNames.unnamed(failure)
			return "", s.failed(failure)
		}
		s.noNames.named()
		bearer.accepted()
		s.credential.accepted()
		s.pool.metrics.count(push.CodeSent)
		return name, nil
	}
	failure, unknown := classify(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
	s.pool.metrics.countUnknown(unknown)
	switch {
	case failure.Code.Class() == push.ClassPermanent: // a verdict on the message: the token got it in
		bearer.accepted()
		s.credential.accepted()
	case failure.Code == push.CodeFCMForbidden:
		s.credential.rejected(failure)
	}
	return "", s.failed(failure)
}

// failed counts a failure; ctx's own error is none.
func (s *Sender) failed(err error) error {
	if e, ok := errors.AsType[*push.Error](err); ok {
		s.pool.metrics.count(e.Code)
	}
	return err
}

// DryRun asks FCM to check a message for one address without delivering it
// (validate_only of
// https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send).
// It proves the credential, the project and the way there. Errors are as of
// [Sender.Send].
func (s *Sender) DryRun(ctx context.Context, t message.Template, a push.Address) error {
	body := t.Append([]byte(`{"validate_only":true,`), string(a.Kind), a.Value.Reveal(), time.Time{}, time.Time{})
	// Append wrote a request of its own; its opening brace is ours already.
	at := len(`{"validate_only":true,`)
	body = append(body[:at], body[at+1:]...)
	_, err := s.Send(ctx, body)
	return err
}

// Connections returns how many connections to FCM are in service.
func (s *Sender) Connections() int { return s.pool.Connections() }

// Close ends the sender: it gets no tokens any more, and requests under way end as they would.
// One that has its connections for itself waits for those until ctx ends, then closes the
// connections; new requests are refused from the start. The error is ctx's.
func (s *Sender) Close(ctx context.Context) error {
	var err error
	if s.own {
		err = s.pool.Close(ctx)
	}
	s.tokens.close()
	s.credential.end()
	return err
}
