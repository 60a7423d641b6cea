package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"github.com/belfry-push/belfry/internal/adapter/fcm/keyfile"
	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
	"github.com/belfry-push/belfry/internal/strict"
)

// scope is what sending needs
// (https://firebase.google.com/docs/cloud-messaging/auth-server).
const scope = "https://www.googleapis.com/auth/firebase.messaging"

// googleToken is the token endpoint of a key file that names none.
const googleToken = "https://oauth2.googleapis.com/token" //nolint:gosec // an address

// patience bounds each of the two requests.
const patience = 10 * time.Second

// most is how much of an answer is read.
const most = 64 << 10

// body is a message that FCM is asked to check only, for a token that cannot exist: FCM looks at
// the credential first, so that its complaint about the token says that everything before is right.
const body = `{"validate_only":true,"message":{"token":"belfry-check-no-such-token","notification":{"title":"belfry"}}}`

// Checker asks Google. It is safe for concurrent use.
type Checker struct {
	endpoint string
	client   *http.Client
}

// New returns a checker that asks FCM at a base URL up to the API version, such as
// https://fcm.googleapis.com/v1. It goes through the proxy of the environment and follows no
// redirect.
func New(endpoint string) *Checker {
	choose := proxy.FromEnvironment()
	way := &http.Transport{
		Proxy:             func(r *http.Request) (*url.URL, error) { return choose(r.URL) },
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true, // uploads are rare
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Checker{strings.TrimSuffix(endpoint, "/"), &http.Client{Transport: way, Timeout: patience, CheckRedirect: stay}}
}

// Check asks about a service-account key file and a project. refusal is Google's reason not to
// take the credential, "" if it takes it; the error says why it could not be asked. Neither
// repeats anything of the key or the token.
func (c *Checker) Check(ctx context.Context, keyFile []byte, project string) (refusal string, err error) {
	a, _, err := keyfile.Read(keyFile)
	if err != nil {
		return err.Error(), nil
	}
	token, refusal, err := c.token(ctx, &a)
	if refusal != "" || err != nil {
		return refusal, err
	}
	at := c.endpoint + "/projects/" + url.PathEscape(project) + "/messages:send"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		return "", errors.New("FCM's endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.client.Do(req)
	if err != nil {
		return "", fmt.Errorf("FCM could not be reached: %w", cause(err))
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return "", errors.New("FCM's answer broke off")
	}
	return judge(resp.StatusCode, text)
}

func (c *Checker) token(ctx context.Context, a *keyfile.Account) (token, refusal string, err error) {
	cfg := jwt.Config{Email: a.Email, PrivateKey: []byte(a.PrivateKey), PrivateKeyID: a.KeyID, Scopes: []string{scope}, TokenURL: a.TokenURL}
	if cfg.TokenURL == "" {
		cfg.TokenURL = googleToken
	}
	t, err := cfg.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, c.client)).Token()
	if err == nil {
		return t.AccessToken, "", nil
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || answer.Response == nil {
		return "", "", fmt.Errorf("Google's token endpoint could not be reached: %w", cause(err)) //nolint:staticcheck // a name
	}
	said := struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}{answer.ErrorCode, answer.ErrorDescription}
	_ = json.Unmarshal(answer.Body, &said) // a page of HTML says nothing more than its status
	words := fmt.Sprintf("Google's token endpoint said %d", answer.Response.StatusCode)
	if said.Code != "" {
		words += " " + said.Code
	}
	if said.Description != "" {
		words += ": " + said.Description
	}
	switch answer.Response.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return "", clip(words), nil
	}
	return "", "", errors.New(clip(words))
}

// judge reads FCM's answer to the check of a message for a token that cannot exist.
func judge(status int, text []byte) (refusal string, err error) {
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Status  string `json:"status"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &answer)
	words := fmt.Sprintf("FCM said %d %s", status, answer.Error.Status)
	if answer.Error.Message != "" {
		words += ": " + answer.Error.Message
	}
	about := func(code string) bool { return bytes.Contains(text, []byte(`"`+code+`"`)) } // of the token
	switch {
	case status == http.StatusOK, status == http.StatusBadRequest:
		return "", nil
	case status == http.StatusNotFound && about("UNREGISTERED"), status == http.StatusForbidden && about("SENDER_ID_MISMATCH"):
		return "", nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		return clip(words), nil
	}
	return "", errors.New(clip(words))
}

// cause returns what kept a request from its answer, without the request.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errors.New("no answer in time")
	}
	return errors.New(clip(err.Error()))
}

func clip(text string) string {
	const most = 300
	return strict.Clip(text, most)
}
