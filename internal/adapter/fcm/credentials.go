package fcm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Scope is the OAuth 2.0 scope that sending needs
// (https://firebase.google.com/docs/cloud-messaging/auth-server).
const Scope = "https://www.googleapis.com/auth/firebase.messaging"

// fetchTimeout bounds one request to the token endpoint.
const fetchTimeout = 10 * time.Second

// Credentials reads a service-account key file, or, when file is empty, finds
// Google's application default credentials
// (https://cloud.google.com/docs/authentication/application-default-credentials).
// It returns the project id that the credential names, "" if it names none, and
// a source that fetches a new access token at each call. Nothing is sent yet,
// except to the metadata server on Google Cloud. Ctx's values, but not its end,
// hold for later fetches; [oauth2.HTTPClient] among them is honoured.
func Credentials(ctx context.Context, file string) (project string, ts oauth2.TokenSource, err error) {
	ctx = context.WithoutCancel(ctx)
	if ctx.Value(oauth2.HTTPClient) == nil {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: fetchTimeout})
	}
	if file == "" {
		return defaultCredentials(ctx)
	}
	key, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", nil, fmt.Errorf("read FCM service account: %w", err)
	}
	cfg, err := google.JWTConfigFromJSON(key, Scope)
	if err != nil {
		return "", nil, fmt.Errorf("FCM service account %s: %w", file, err)
	}
	var named struct {
		ProjectID string `json:"project_id"`
	}
	if err := json.Unmarshal(key, &named); err != nil {
		return "", nil, fmt.Errorf("FCM service account %s: %w", file, err)
	}
	if len(cfg.PrivateKey) == 0 || cfg.Email == "" {
		return "", nil, fmt.Errorf("FCM service account %s: %w", file, errors.New("client_email and private_key are required"))
	}
	// A source of cfg caches its token; a new one for each call does not.
	return named.ProjectID, tokenFunc(func() (*oauth2.Token, error) { return cfg.TokenSource(ctx).Token() }), nil
}

func defaultCredentials(ctx context.Context) (string, oauth2.TokenSource, error) {
	creds, err := google.FindDefaultCredentials(ctx, Scope)
	if err != nil {
		return "", nil, fmt.Errorf("find application default credentials for FCM: %w", err)
	}
	return creds.ProjectID, tokenFunc(func() (*oauth2.Token, error) {
		// Found anew each time, because the source inside caches its token.
		creds, err := google.FindDefaultCredentials(ctx, Scope)
		if err != nil {
			return nil, fmt.Errorf("find application default credentials for FCM: %w", err)
		}
		return creds.TokenSource.Token()
	}), nil
}

// tokenFunc is a function as a token source.
type tokenFunc func() (*oauth2.Token, error)

// Token implements [oauth2.TokenSource].
func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }
