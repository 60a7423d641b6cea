package ingester

import (
	"net/url"

	"github.com/belfry-push/belfry/internal/adapter/fcm/keyfile"
	"github.com/belfry-push/belfry/internal/adapter/fcm/probe"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/credential"
)

// Credentials says how the FCM credentials of apps are taken in.
type Credentials struct {
	Seal     config.Seal
	Endpoint string // of FCM, which is asked about them
	// Open says that whatever stands in FCM's place takes what is sent without a credential, so
	// that nothing waits for one.
	Open bool
}

// private reports whether the endpoint is not Google's.
func (c Credentials) private() bool { return config.FCM{Endpoint: c.Endpoint}.Private() }

// newCredentials returns the room of credentials.
func newCredentials(s *app.Service, c Credentials, ring *credential.Ring) *credential.Room {
	cfg := credential.Config{
		Documents: s.Backend.Store, Ring: ring, Read: readKeyFile, Checker: probe.New(c.Endpoint), Log: s.Log, Now: s.Now,
	}
	if c.private() {
		cfg.TokenURL = ofSimulator(c.Endpoint)
	}
	return credential.New(cfg)
}

// readKeyFile implements [credential.Reader].
func readKeyFile(data []byte) (credential.Account, error) {
	a, repaired, err := keyfile.Read(data)
	if err != nil {
		return credential.Account{}, err
	}
	return credential.Account{
		Project: a.Project, Email: a.Email, KeyID: a.KeyID, PrivateKey: a.PrivateKey, TokenURL: a.TokenURL, Repaired: repaired,
	}, nil
}

// ofSimulator takes, beside Google's, the token endpoint of a simulator: whatever stands where
// FCM is asked for.
func ofSimulator(endpoint string) func(string) string {
	own, err := url.Parse(endpoint)
	return func(text string) string {
		u, bad := url.Parse(text)
		if err == nil && bad == nil && u.User == nil && u.Scheme == own.Scheme && u.Host == own.Host {
			return ""
		}
		return credential.GoogleTokenURL(text)
	}
}
