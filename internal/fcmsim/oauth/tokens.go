package oauth

import (
	"crypto/rand"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons for which a bearer token is refused, as in google.rpc.ErrorInfo
// (https://docs.cloud.google.com/apis/docs/reference/rest/Shared.Types/ErrorReason).
const (
	ReasonMissing = "CREDENTIALS_MISSING"
	ReasonUnknown = "ACCESS_TOKEN_TYPE_UNSUPPORTED"
	ReasonExpired = "ACCESS_TOKEN_EXPIRED"
)

// Tokens are the access tokens that were issued. Checking takes no lock; issuing, once an hour and client, copies.
// It is safe for concurrent use.
type Tokens struct {
	mu     sync.Mutex
	issued atomic.Pointer[map[string]time.Time] // by token: when it expires
}

func newTokens() *Tokens {
	t := &Tokens{}
	t.issued.Store(&map[string]time.Time{})
	return t
}

// Issue returns a new token, good from now until it expires. It forgets tokens an hour after they expired: until then
// they are known as expired.
func (t *Tokens) Issue(now, expires time.Time) string {
	token := "ya29.sim." + rand.Text() + rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	next := maps.Clone(*t.issued.Load())
	maps.DeleteFunc(next, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
	next[token] = expires
	t.issued.Store(&next)
	return token
}

// Revoke forgets every token that was issued: from here on it is as one that never was.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued.Store(&map[string]time.Time{})
}

// Check returns why an Authorization header is not good enough, empty if it is.
func (t *Tokens) Check(header string, now time.Time) (reason string) {
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return ReasonMissing
	}
	expires, known := (*t.issued.Load())[token]
	switch {
	case !known:
		return ReasonUnknown
	case !now.Before(expires):
		return ReasonExpired
	}
	return ""
}
