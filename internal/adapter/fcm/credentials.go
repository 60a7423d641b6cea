package fcm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/belfry-push/belfry/internal/adapter/fcm/keyfile"
	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
)

// Scope is the OAuth 2.0 scope that sending needs
// (https://firebase.google.com/docs/cloud-messaging/auth-server).
const Scope = "https://www.googleapis.com/auth/firebase.messaging"

// fetchTimeout bounds one request to the token endpoint.
const fetchTimeout = 10 * time.Second

// Credential is whose access tokens are sent.
type Credential struct {
	// Project is the project id that the credential names, "" if it names none.
	Project string
	// Tokens fetches a new access token at each call. Its errors name the source: the token
	// endpoint, DNS or this machine.
	Tokens oauth2.TokenSource
	// Warnings describe faults of the file that reading it could repair.
	Warnings []string
}

// Credentials reads a service-account key file or, if file is empty, finds Google's application
// default credentials
// (https://cloud.google.com/docs/authentication/application-default-credentials). It parses the
// private key, and its error for another kind of file names that kind. It sends nothing, except to
// the metadata server on Google Cloud. Later fetches use ctx's values but do not end with it. If
// [oauth2.HTTPClient] is among the values, it is used; otherwise the token endpoint is reached
// through the proxy of the environment.
func Credentials(ctx context.Context, file string) (Credential, error) {
	ctx, heard := listening(ctx, nil)
	if file == "" {
		return defaultCredentials(ctx, heard)
	}
	data, err := readFile(file)
	if err != nil {
		return Credential{}, fmt.Errorf("FCM service account: %w", err)
	}
	c, err := fromKeyFile(ctx, data, heard)
	if err != nil {
		return Credential{}, fmt.Errorf("FCM service account %s: %w", file, err)
	}
	for i, w := range c.Warnings {
		c.Warnings[i] = file + ": " + w
	}
	return c, nil
}

// listening returns a context with a client for the token endpoint, and what that hears. tokens
// is how the endpoint is reached if ctx has no client; nil: as the environment says.
func listening(ctx context.Context, tokens http.RoundTripper) (context.Context, *exchangeRecord) {
	ctx = context.WithoutCancel(ctx)
	client := &http.Client{Timeout: fetchTimeout}
	if given, ok := ctx.Value(oauth2.HTTPClient).(*http.Client); ok {
		own := *given
		client = &own
		if client.Timeout == 0 {
			client.Timeout = fetchTimeout // everybody who sends waits for the token
		}
	}
	heard := &exchangeRecord{next: client.Transport}
	if heard.next == nil {
		heard.next = tokens
	}
	if heard.next == nil {
		heard.next = throughProxy(proxy.FromEnvironment())
	}
	client.Transport = heard
	return context.WithValue(ctx, oauth2.HTTPClient, client), heard
}

// Exchange is the way to token endpoints that many credentials share. It is safe for concurrent
// use.
type Exchange struct{ way http.RoundTripper }

// NewExchange returns a way through the proxy of the environment.
func NewExchange() *Exchange { return &Exchange{throughProxy(proxy.FromEnvironment())} }

// Read reads the bytes of a service-account key file, as [Credentials] reads a file.
func (e *Exchange) Read(ctx context.Context, keyFile []byte) (Credential, error) {
	ctx, heard := listening(ctx, e.way)
	return fromKeyFile(ctx, keyFile, heard)
}

// Close closes the connections that are idle.
func (e *Exchange) Close() {
	if c, ok := e.way.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// throughProxy returns net/http's transport with a choice of proxies.
func throughProxy(choose proxy.Choose) http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // somebody has put another in its place, and means it
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.Proxy = func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
	t.OnProxyConnectResponse = func(_ context.Context, through *url.URL, ask *http.Request, answer *http.Response) error {
		return proxy.Check(through, ask.Host, answer)
	}
	return t
}

// readFile reads a file of reasonable size.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory: give the key file in it", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, keyfile.MaxBytes+1))
	if err == nil && len(data) > keyfile.MaxBytes {
		err = fmt.Errorf("%s has more than %d KiB: it is no service-account key file", name, keyfile.MaxBytes>>10)
	}
	return data, err
}

// fromKeyFile makes a credential of the bytes of a key file.
func fromKeyFile(ctx context.Context, data []byte, heard *exchangeRecord) (Credential, error) {
	a, repaired, err := keyfile.Read(data)
	if err != nil {
		return Credential{}, err
	}
	cfg, err := google.JWTConfigFromJSON(bytes.TrimPrefix(data, []byte(keyfile.BOM)), Scope)
	if err != nil {
		return Credential{}, err
	}
	cfg.PrivateKey = []byte(a.PrivateKey)
	c := Credential{
		Project: a.Project,
		// A source of cfg caches its token; a new one for each call does not.
		Tokens: tokenFunc(func() (*oauth2.Token, error) {
			token, err := cfg.TokenSource(ctx).Token()
			if err != nil {
				return nil, heard.explain(err)
			}
			return token, nil
		}),
	}
	if repaired {
		c.Warnings = []string{
			`private_key has literal \n or spaces for its line breaks; it was read all the same: copy the file again, unchanged`,
		}
	}
	return c, nil
}

func defaultCredentials(ctx context.Context, heard *exchangeRecord) (Credential, error) {
	creds, err := google.FindDefaultCredentials(ctx, Scope)
	if err != nil {
		return Credential{}, fmt.Errorf("find application default credentials for FCM: %w", err)
	}
	var kind struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(creds.JSON, &kind) == nil && kind.Type == "service_account" {
		// Google's library would notice a bad key only with the first token.
		c, err := fromKeyFile(ctx, creds.JSON, heard)
		if err != nil {
			return Credential{}, fmt.Errorf("application default credentials for FCM: %w", err)
		}
		return c, nil
	}
	return Credential{Project: creds.ProjectID, Tokens: tokenFunc(func() (*oauth2.Token, error) {
		// The credentials are found again each time, because the source inside caches its token.
		creds, err := google.FindDefaultCredentials(ctx, Scope)
		if err != nil {
			return nil, fmt.Errorf("find application default credentials for FCM: %w", err)
		}
		token, err := creds.TokenSource.Token()
		if err != nil {
			return nil, heard.explain(err)
		}
		return token, nil
	})}, nil
}

// tokenFunc is a function as a token source.
type tokenFunc func() (*oauth2.Token, error)

// Token implements [oauth2.TokenSource].
func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }
