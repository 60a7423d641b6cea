package fcm

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
	"github.com/belfry-push/belfry/internal/push"
)

// When tokens are fetched. Google's tokens live for an hour
// (https://developers.google.com/identity/protocols/oauth2/service-account).
const (
	refreshAhead = 5 * time.Minute  // before expiry; a fifth of the lifetime if that is less
	expiryMargin = 10 * time.Second // a token this close to its end may die on the way
	refreshRetry = 10 * time.Second // after a fetch ahead of expiry failed
	failureHolds = time.Second      // a failed fetch answers all callers for so long
	// refusedAgain is the least time between two fetches that are made because FCM refused tokens
	// that had never worked: an account without rights must not cause a fetch for every send.
	refusedAgain = 10 * time.Second
)

// bearer is an access token, ready to be sent.
type bearer struct {
	token   string
	header  *transport.Header
	fetched time.Time    // zero = none was needed
	expires time.Time    // zero = never
	renew   time.Time    // when to fetch the next; zero = never
	worked  *atomic.Bool // FCM took it, at least once
}

// accepted notes that FCM took the token.
func (b *bearer) accepted() {
	if !b.worked.Load() { // a store by every send would cost the others their cache line
		b.worked.Store(true)
	}
}

func (b *bearer) usable(now time.Time) bool {
	return b != nil && (b.expires.IsZero() || now.Before(b.expires.Add(-expiryMargin)))
}

// tokenCache holds the present access token and renews it in the background.
// One goroutine makes all fetches, so there is never more than one.
type tokenCache struct {
	source     oauth2.TokenSource
	header     func(token string) *transport.Header
	credential *credentialState
	current    atomic.Pointer[bearer] // nil = none, or refused by FCM
	kick       chan struct{}
	stop       chan struct{}
	stopped    sync.Once
	done       chan struct{} // the goroutine has ended

	mu        sync.Mutex
	call      *fetch // the fetch that callers wait for, or nil
	failure   error  // of the last fetch
	retryAt   time.Time
	refetchAt time.Time // before it, the refusal of a token that never worked causes no fetch
	closed    bool
}

// fetch is what callers without a token wait for.
type fetch struct {
	done   chan struct{}
	bearer *bearer
	err    error
}

var errTokenClosed = errors.New("sender is closed")

// newTokenCache begins to fetch at once: a credential that does not work must be known before the
// first notification.
func newTokenCache(source oauth2.TokenSource, header func(string) *transport.Header, stands *credentialState) *tokenCache {
	c := &tokenCache{
		source: source, header: header, credential: stands,
		kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if source == nil {
		c.current.Store(&bearer{header: header(""), worked: new(atomic.Bool)})
		stands.notNeeded()
	} else {
		c.kick <- struct{}{}
	}
	go c.run()
	return c
}

// get returns a usable token, waiting for a fetch if there is none. The error
// is a [*push.Error] with CodeCredential, or ctx's.
func (c *tokenCache) get(ctx context.Context) (*bearer, error) {
	now := time.Now()
	if b := c.current.Load(); b.usable(now) {
		return b, nil
	}
	c.mu.Lock()
	if b := c.current.Load(); b.usable(now) {
		c.mu.Unlock()
		return b, nil
	}
	if c.closed {
		c.mu.Unlock()
		return nil, credentialError(errTokenClosed)
	}
	if c.failure != nil && now.Before(c.retryAt) {
		err := c.failure
		c.mu.Unlock()
		return nil, credentialError(err)
	}
	call := c.call
	if call == nil {
		call = &fetch{done: make(chan struct{})}
		c.call = call
		select {
		case c.kick <- struct{}{}:
		default: // a kick is pending already
		}
	}
	c.mu.Unlock()
	select {
	case <-call.done:
		if call.err != nil {
			return nil, credentialError(call.err)
		}
		return call.bearer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// replace returns a token to use instead of b, which FCM refused. It waits for a fetch if there is
// no newer one; of many refusals at once only the first causes a fetch. It returns nil without an
// error if no other token can be had now: none is needed, the source returns the same one again, or
// new tokens that never worked were fetched a moment ago. Errors are those of get.
func (c *tokenCache) replace(ctx context.Context, b *bearer) (*bearer, error) {
	if c.source == nil || !c.drop(b, time.Now()) {
		return nil, nil
	}
	next, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	if next.token == b.token {
		return nil, nil
	}
	return next, nil
}

// drop removes a refused token, and reports whether another one is there or may be fetched.
func (c *tokenCache) drop(b *bearer, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.current.Load(); old != nil && old.token != b.token {
		return true // there is a newer one already
	}
	if c.call != nil {
		return true // a fetch is under way
	}
	if !b.worked.Load() {
		if now.Before(c.refetchAt) {
			return false
		}
		c.refetchAt = now.Add(refusedAgain)
	}
	c.current.Store(nil)
	return true
}

// run fetches a token when a caller asks, before the present one expires and, while there is none,
// every refreshRetry, until close.
func (c *tokenCache) run() {
	defer close(c.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		switch b := c.current.Load(); {
		case b == nil: // readiness depends on a token even if no caller asks for one
			timer.Reset(refreshRetry)
			due = timer.C
		case !b.renew.IsZero():
			timer.Reset(max(time.Until(b.renew), 0))
			due = timer.C
		}
		select {
		case <-c.stop:
			c.answer(nil, errTokenClosed)
			return
		case <-due:
		case <-c.kick:
			if b := c.current.Load(); b.usable(time.Now()) {
				// The fetch before this one came in time for the caller.
				c.answer(b, nil)
				continue
			}
		}
		c.renew()
	}
}

// renew makes one fetch and answers those who wait for it.
func (c *tokenCache) renew() {
	token, err := c.source.Token()
	if err == nil && !headerValue(token.AccessToken) {
		err = errors.New("token source returned an empty or malformed access token")
	}
	now := time.Now()
	if err != nil {
		switch old := c.current.Load(); {
		case old.usable(now):
			c.credential.renewalFailed(credentialError(err), old.expires)
			if _, refused := errors.AsType[*refusedError](err); refused {
				c.credential.tell(err)
			}
			retry := *old
			retry.renew = now.Add(refreshRetry)
			c.current.CompareAndSwap(old, &retry)
		default:
			c.current.CompareAndSwap(old, nil) // from here on callers ask for the next
			c.credential.fetchFailed(credentialError(err))
			if _, refused := errors.AsType[*refusedError](err); refused {
				c.credential.tell(err)
			}
		}
		c.answer(nil, err)
		return
	}
	b := &bearer{
		token: token.AccessToken, header: c.header(token.AccessToken), fetched: now, expires: token.Expiry, worked: new(atomic.Bool),
	}
	if life := token.Expiry.Sub(now); !token.Expiry.IsZero() {
		// A source that caches returns the same token again; the floor keeps the renewal from
		// becoming a loop.
		b.renew = now.Add(max(life-min(refreshAhead, life/5), refreshRetry))
	}
	c.current.Store(b)
	c.credential.received(b.expires)
	c.answer(b, nil)
}

// answer ends the call that is under way, if there is one.
func (c *tokenCache) answer(b *bearer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	c.retryAt = time.Now().Add(failureHolds)
	c.closed = c.closed || errors.Is(err, errTokenClosed)
	if c.call != nil {
		c.call.bearer, c.call.err = b, err
		close(c.call.done)
		c.call = nil
	}
}

// close ends the goroutine and fails those who wait for a token. A fetch that
// is under way is waited for; its own time-outs bound it.
func (c *tokenCache) close() {
	c.stopped.Do(func() { close(c.stop) })
	<-c.done
}

// ownAddress is this end of a broken connection, as net prints it.
var ownAddress = regexp.MustCompile(`\S+:\d+->`)

// credentialError returns the error of a failed fetch with a short detail, because the token
// endpoint may answer with a page of HTML. It leaves out this machine's port, which differs with
// each attempt, so that the same fault always has the same text.
func credentialError(err error) *push.Error {
	return &push.Error{Code: push.CodeCredential, Detail: clip(ownAddress.ReplaceAllString(err.Error(), ""))}
}
