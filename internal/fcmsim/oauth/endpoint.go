package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// jwtBearer is the grant type of RFC 7523 §2.1.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name, not a credential

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

// Config is what an endpoint is built from; all of it is required but Earlier.
type Config struct {
	Project string
	// Earlier is a service-account file of an earlier endpoint whose key is to be used again. Empty: a new key.
	Earlier []byte
	// TTL is the life of an access token.
	TTL time.Duration
	// Now is the clock of tokens and assertions.
	Now func() time.Time
	// URL returns where the endpoint is reached; it is asked when it is needed.
	URL func() string
}

// Endpoint is the token endpoint: it trades a signed assertion (RFC 7523) for an access token. It is safe for concurrent
// use.
type Endpoint struct {
	cfg     Config
	account *account
	tokens  *Tokens
}

// New builds an endpoint. The error says what is wrong with the earlier file.
func New(cfg Config) (*Endpoint, error) {
	a, err := newAccount(cfg.Project, cfg.Earlier)
	if err != nil {
		return nil, err
	}
	return &Endpoint{cfg: cfg, account: a, tokens: newTokens()}, nil
}

// Tokens returns the access tokens that the endpoint gave out.
func (e *Endpoint) Tokens() *Tokens { return e.tokens }

// ServiceAccount returns a service-account file with the endpoint's key and URL.
func (e *Endpoint) ServiceAccount() []byte { return e.ServiceAccountOf(e.cfg.Project) }

// ServiceAccountOf returns one of any project: an endpoint knows the accounts of all.
func (e *Endpoint) ServiceAccountOf(project string) []byte {
	return e.account.file(project, e.cfg.URL())
}

// Disable lets the account of a project get no tokens any more, and makes those that it has
// worthless; with false it gets some again.
func (e *Endpoint) Disable(project string, disabled bool) {
	e.account.mu.Lock()
	defer e.account.mu.Unlock()
	e.account.disabled[project] = disabled
	if disabled {
		e.tokens.revokeOf(project)
	}
}

// maxForm is far above any valid request, and keeps a hostile one from filling memory.
const maxForm = 1 << 20

// ServeHTTP implements [http.Handler].
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	token, err := e.trade(r)
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

func (e *Endpoint) trade(r *http.Request) (grant, error) {
	if err := r.ParseForm(); err != nil {
		return grant{}, fmt.Errorf("form: %w", err)
	}
	if got := r.PostForm.Get("grant_type"); got != jwtBearer {
		return grant{}, &grantError{Code: "unsupported_grant_type", Description: "Invalid grant_type: " + got}
	}
	now := e.cfg.Now()
	project, err := e.account.verify(r.PostForm.Get("assertion"), e.cfg.URL(), now)
	if err != nil {
		return grant{}, err
	}
	return grant{
		AccessToken: e.tokens.IssueFor(project, now, now.Add(e.cfg.TTL)),
		ExpiresIn:   int64(e.cfg.TTL / time.Second),
		TokenType:   "Bearer",
	}, nil
}

// writeJSON writes an answer.
func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil { // the values are structs of strings, numbers and maps of them
		panic(fmt.Errorf("encode a token: %w", err))
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is not the simulator's problem
}
