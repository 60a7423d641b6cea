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
	issued atomic.Pointer[map[string]issued] // by token
}

// issued is what is known of a token.
type issued struct {
	project string // whose messages it may send; "": the simulator's own
	expires time.Time
}

func newTokens() *Tokens {
	t := &Tokens{}
	t.issued.Store(&map[string]issued{})
	return t
}

// Issue returns a new token, good from now until it expires. It forgets tokens an hour after they expired: until then
// they are known as expired.
func (t *Tokens) Issue(now, expires time.Time) string { return t.IssueFor("", now, expires) }

// IssueFor returns a new token of a project.
func (t *Tokens) IssueFor(project string, now, expires time.Time) string {
	token := "ya29.sim." + rand.Text() + rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	next := maps.Clone(*t.issued.Load())
	maps.DeleteFunc(next, func(_ string, i issued) bool { return now.Sub(i.expires) > time.Hour })
	next[token] = issued{project, expires}
	t.issued.Store(&next)
	return token
}

// Revoke forgets every token that was issued: from here on it is as one that never was.
func (t *Tokens) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued.Store(&map[string]issued{})
}

// revokeOf forgets the tokens of a project.
func (t *Tokens) revokeOf(project string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := maps.Clone(*t.issued.Load())
	maps.DeleteFunc(next, func(_ string, i issued) bool { return i.project == project })
	t.issued.Store(&next)
}

// Project returns the project of the token in an Authorization header that is good, "" for the
// simulator's own.
func (t *Tokens) Project(header string) string {
	return (*t.issued.Load())[strings.TrimPrefix(header, "Bearer ")].project
}

// Check returns why an Authorization header is not good enough, empty if it is.
func (t *Tokens) Check(header string, now time.Time) (reason string) {
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return ReasonMissing
	}
	known, ok := (*t.issued.Load())[token]
	switch {
	case !ok:
		return ReasonUnknown
	case !now.Before(known.expires):
		return ReasonExpired
	}
	return ""
}
