package fcmsim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons for which a bearer token is refused, as in google.rpc.ErrorInfo
// (https://docs.cloud.google.com/apis/docs/reference/rest/Shared.Types/ErrorReason).
const (
	reasonMissing = "CREDENTIALS_MISSING"
	reasonUnknown = "ACCESS_TOKEN_TYPE_UNSUPPORTED"
	reasonExpired = "ACCESS_TOKEN_EXPIRED"
)

// jwtBearer is the grant type of RFC 7523 §2.1.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name, not a credential

// tokens are the access tokens that were issued. Checking takes no lock; issuing, once an hour and client, copies.
// It is safe for concurrent use.
type tokens struct {
	mu     sync.Mutex
	issued atomic.Pointer[map[string]time.Time] // by token: when it expires
}

func newTokens() *tokens {
	t := &tokens{}
	t.issued.Store(&map[string]time.Time{})
	return t
}

// issue returns a new token. It forgets tokens an hour after they expired: until then they are known as expired.
func (t *tokens) issue(now, expires time.Time) string {
	token := "ya29.sim." + rand.Text() + rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	next := maps.Clone(*t.issued.Load())
	maps.DeleteFunc(next, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
	next[token] = expires
	t.issued.Store(&next)
	return token
}

// revoke forgets every token that was issued: from here on it is as one that never was.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued.Store(&map[string]time.Time{})
}

// check returns why an Authorization header is not good enough, empty if it is.
func (t *tokens) check(header string, now time.Time) (reason string) {
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return reasonMissing
	}
	expires, known := (*t.issued.Load())[token]
	switch {
	case !known:
		return reasonUnknown
	case !now.Before(expires):
		return reasonExpired
	}
	return ""
}

// grant is the successful answer of RFC 6749 §5.1.
type grant struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
}

// grantError is the error answer of RFC 6749 §5.2.
type grantError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *grantError) Error() string { return e.Code + ": " + e.Description }

// serveToken is the token endpoint: it trades a signed assertion (RFC 7523) for an access token.
func (s *Sim) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	token, err := s.trade(r)
	var denied *grantError
	switch {
	case errors.As(err, &denied):
		writeJSON(w, http.StatusBadRequest, denied)
	case err != nil:
		writeJSON(w, http.StatusBadRequest, &grantError{Code: "invalid_request", Description: err.Error()})
	default:
		w.Header().Set("Cache-Control", "no-store") // RFC 6749 §5.1
		writeJSON(w, http.StatusOK, token)
	}
}

func (s *Sim) trade(r *http.Request) (grant, error) {
	if err := r.ParseForm(); err != nil {
		return grant{}, fmt.Errorf("form: %w", err)
	}
	if got := r.PostForm.Get("grant_type"); got != jwtBearer {
		return grant{}, &grantError{Code: "unsupported_grant_type", Description: "Invalid grant_type: " + got}
	}
	now := s.cfg.Now()
	if err := s.account.verify(r.PostForm.Get("assertion"), s.TokenURL(), now); err != nil {
		return grant{}, err
	}
	return grant{
		AccessToken: s.tokens.issue(now, now.Add(s.cfg.TokenTTL)),
		ExpiresIn:   int64(s.cfg.TokenTTL / time.Second),
		TokenType:   "Bearer",
	}, nil
}

// writeJSON writes an answer of the token endpoint or the admin side.
func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil { // the values are structs of strings, numbers and maps of them
		panic(fmt.Errorf("fcmsim: encode an answer: %w", err))
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is not the simulator's problem
}
