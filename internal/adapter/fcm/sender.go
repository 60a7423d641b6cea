package fcm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
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

// Sender sends to FCM on behalf of one project. It is safe for concurrent use.
type Sender struct {
	client     client
	tokens     *tokenCache
	metrics    *Metrics
	answers    sync.Pool // of *transport.Response
	noNames    noNameLog
	credential *credentialState
}

// New returns a sender and opens its connections. It is not an error if FCM cannot be reached or
// the credential yields no token: sends fail until that changes. End the sender with
// [Sender.Close].
func New(ctx context.Context, cfg Config, log *zap.Logger, m *Metrics) (*Sender, error) {
	to, err := cfg.setDefaults()
	if err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	through, err := to.proxy(cfg.proxies)
	if err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	if through != nil {
		log.Info("FCM is reached through a proxy", zap.String("proxy", proxy.Name(through)))
	}
	cl, err := open(ctx, cfg, to, through, log, m)
	if err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	s := &Sender{client: cl, metrics: m, noNames: noNameLog{log: log, now: time.Now}}
	s.answers.New = func() any { return new(transport.Response) }
	s.credential = newCredentialState(log, m.credential)
	s.tokens = newTokenCache(cfg.TokenSource, func(token string) *transport.Header { return to.headers(cfg.UserAgent, token) }, s.credential)
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

// send makes one request with a token.
func (s *Sender) send(ctx context.Context, bearer *bearer, body []byte) (name string, err error) {
	answer, _ := s.answers.Get().(*transport.Response)
	defer s.answers.Put(answer)

	s.metrics.inFlight.Inc()
	start := time.Now()
	err = s.client.Do(ctx, bearer.header, body, answer)
	s.metrics.inFlight.Dec()
	if err != nil {
		return "", s.failed(classifyTransport(err))
	}
	s.metrics.answer.Observe(time.Since(start).Seconds())

	if answer.Status >= 200 && answer.Status <= 299 {
		if name = nameOf(answer.Body); name == "" {
			failure := noNameError(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
			s.noNames.unnamed(failure)
			return "", s.failed(failure)
		}
		s.noNames.named()
		bearer.accepted()
		s.credential.accepted()
		s.metrics.count(push.CodeSent)
		return name, nil
	}
	failure, unknown := classify(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
	s.metrics.countUnknown(unknown)
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
		s.metrics.count(e.Code)
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
func (s *Sender) Connections() int { return s.client.Connections() }

// Close waits for the requests under way until ctx ends, then closes all
// connections; new requests are refused from the start. The error is ctx's.
func (s *Sender) Close(ctx context.Context) error {
	err := s.client.Close(ctx)
	s.tokens.close()
	if err != nil {
		return fmt.Errorf("close FCM sender with requests under way: %w", err)
	}
	return nil
}
