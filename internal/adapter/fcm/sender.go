package fcm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// Sender sends to FCM on behalf of one project. It is safe for concurrent use.
type Sender struct {
	client  *h2.Client
	tokens  *tokenCache
	metrics *Metrics
	answers sync.Pool // of *h2.Response
	unnamed alarm
	stands  *standing
}

// New returns a sender and opens its connections. An FCM that cannot be
// reached, or a credential that yields no token, is no error here: sends fail
// until that changes. End it with [Sender.Close].
func New(ctx context.Context, cfg Config, log *zap.Logger, m *Metrics) (*Sender, error) {
	to, err := cfg.setDefaults()
	if err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	var tlsConfig *tls.Config
	if to.scheme == "https" {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if cfg.TLS != nil {
			tlsConfig = cfg.TLS
		}
	}
	client, err := h2.New(ctx, h2.Config{
		Addr: to.addr, TLS: tlsConfig, Timeout: cfg.Timeout,
		Connections: cfg.Connections, MaxStreams: cfg.MaxStreams,
		OnConnections: m.connectionsOf(),
	}, log)
	if err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	s := &Sender{client: client, metrics: m, unnamed: alarm{log: log, now: time.Now}}
	s.answers.New = func() any { return new(h2.Response) }
	s.stands = newStanding(log, m.credential)
	s.tokens = newTokenCache(cfg.TokenSource, func(token string) *h2.Header { return to.headers(cfg.UserAgent, token) }, s.stands)
	return s, nil
}

// Send makes one HTTP request, and exactly one unless FCM refuses the access
// token: a token may be revoked or fall to a changed key, and what FCM answered
// with 401 it has not taken, so the same request goes out once more, at once, with
// a new token if there is one. Body is a whole send request, {"message":{…}}, and
// must not change until Send returns. It returns the name that FCM gave the
// message: an answer of 2xx without one is an error, since nobody said that the
// message was taken. The error is a [*push.Error], or what ctx said if it ended
// when the request had certainly not been sent.
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
		s.stands.refuse(err)
		return "", err
	}
	name, err = s.send(ctx, next, body)
	if push.CodeOf(err) == push.CodeFCMUnauthorized {
		s.stands.refuse(err)
	}
	return name, err
}

// Credential is nil while there is an access token and FCM takes it, as far as
// is known: else it says what is wrong, and who said so.
func (s *Sender) Credential() error { return s.stands.check() }

// send makes one request with a token.
func (s *Sender) send(ctx context.Context, bearer *bearer, body []byte) (name string, err error) {
	answer, _ := s.answers.Get().(*h2.Response)
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
			failure := nameless(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
			s.unnamed.seen(failure)
			return "", s.failed(failure)
		}
		s.unnamed.over()
		bearer.took()
		s.stands.took()
		s.metrics.count(push.CodeSent)
		return name, nil
	}
	failure, unknown := classify(answer.Status, answer.RetryAfter, answer.Body, body, time.Now())
	s.metrics.strange(unknown)
	switch {
	case failure.Code.Class() == push.ClassPermanent: // a verdict on the message: the token got it in
		bearer.took()
		s.stands.took()
	case failure.Code == push.CodeFCMForbidden:
		s.stands.refuse(failure)
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
