package fcm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// Pool is the connections to FCM that the senders of a process share: whose request it is
// stands in its headers, so a thousand credentials need no more connections than one. It is
// safe for concurrent use.
type Pool struct {
	cfg     Config
	to      target
	client  client
	log     *zap.Logger
	metrics *Metrics
	answers sync.Pool // of *transport.Response
}

// Identity is whom a sender sends for.
type Identity struct {
	// Project is the Firebase project id; required.
	Project string
	// Tokens is as [Config.TokenSource].
	Tokens oauth2.TokenSource
	// Shown lets the metric of the credential tell of this sender; of one in a pool at most.
	Shown bool
	// Told is told when Google begins to refuse the credential, with its words, and with ""
	// when it takes it for the first time and after each refusal. It is called by whoever
	// sends, and must return at once. nil: nobody is.
	Told func(refusal string)
	// Log is the sender's; nil: the pool's.
	Log *zap.Logger
}

// NewPool opens the connections. Of cfg it uses neither the project nor the tokens. It is not
// an error if FCM cannot be reached: requests fail until that changes.
func NewPool(ctx context.Context, cfg Config, log *zap.Logger, m *Metrics) (*Pool, error) {
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
	p := &Pool{cfg: cfg, to: to, client: cl, log: log, metrics: m}
	p.answers.New = func() any { return new(transport.Response) }
	return p, nil
}

// Sender returns a sender for an identity. End it with [Sender.Close], before the pool.
func (p *Pool) Sender(id Identity) (*Sender, error) {
	if err := checkProject(id.Project); err != nil {
		return nil, fmt.Errorf("FCM sender: %w", err)
	}
	log := p.log
	if id.Log != nil {
		log = id.Log
	}
	s := &Sender{pool: p, noNames: noNameLog{log: log, now: time.Now}}
	s.credential = newCredentialState(log, nil)
	s.credential.failing = p.metrics.failing
	if id.Shown {
		s.credential.gauge = p.metrics.credential
	}
	s.credential.told = id.Told
	to := p.to.of(id.Project)
	s.tokens = newTokenCache(id.Tokens, func(token string) *transport.Header { return to.headers(p.cfg.UserAgent, token) }, s.credential)
	return s, nil
}

// Connections returns how many connections to FCM are in service.
func (p *Pool) Connections() int { return p.client.Connections() }

// Close waits for the requests under way until ctx ends, then closes all connections; new
// requests are refused from the start. The error is ctx's.
func (p *Pool) Close(ctx context.Context) error {
	if err := p.client.Close(ctx); err != nil {
		return fmt.Errorf("close FCM sender with requests under way: %w", err)
	}
	return nil
}
