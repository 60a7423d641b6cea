package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
)

// DefaultTenant is the tenant of a server with one key or none.
const DefaultTenant = "default"

// ErrUnauthenticated says that a key names no tenant.
var ErrUnauthenticated = errors.New("unknown API key")

// Authenticator tells whose request it is. Safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the tenant that the key names, or
	// ErrUnauthenticated. The key is "" when the request brought none.
	Authenticate(ctx context.Context, key string) (tenant string, err error)
}

// Keys authenticates by API keys, of which it keeps only hashes. Keys without
// any key takes every request for DefaultTenant's; a server with such Keys must
// listen on the loopback interface only.
type Keys struct {
	entries []keyEntry
}

var _ Authenticator = Keys{}

type keyEntry struct {
	hash   [sha256.Size]byte
	tenant string
}

// NewKeys returns Keys for a map from key to tenant. The empty key names nobody
// and is left out.
func NewKeys(tenants map[string]string) Keys {
	var k Keys
	for key, tenant := range tenants {
		if key != "" {
			k.entries = append(k.entries, keyEntry{sha256.Sum256([]byte(key)), tenant})
		}
	}
	return k
}

// Open tells whether requests need no key.
func (k Keys) Open() bool { return len(k.entries) == 0 }

// Authenticate implements [Authenticator]. It compares hashes, all of them, in
// constant time: how long it takes tells nothing about a key.
func (k Keys) Authenticate(_ context.Context, key string) (string, error) {
	if k.Open() {
		return DefaultTenant, nil
	}
	hash := sha256.Sum256([]byte(key))
	tenant := ""
	for i := range k.entries {
		if subtle.ConstantTimeCompare(hash[:], k.entries[i].hash[:]) == 1 {
			tenant = k.entries[i].tenant
		}
	}
	if tenant == "" {
		return "", ErrUnauthenticated
	}
	return tenant, nil
}

// bearer returns the token of an Authorization header of the scheme Bearer,
// whose name is case-insensitive (RFC 6750 §2.1, RFC 9110 §11.1).
func bearer(h http.Header) string {
	const scheme = "Bearer "
	v := h.Get("Authorization")
	if len(v) <= len(scheme) || !strings.EqualFold(v[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimLeft(v[len(scheme):], " ")
}

// authenticate sets the exchange's tenant. The challenge names an error only
// when a key was given (RFC 6750 §3.1).
func (a *api) authenticate(ctx context.Context, x *exchange) error {
	key := bearer(x.r.Header)
	tenant, err := a.cfg.Auth.Authenticate(ctx, key)
	switch {
	case err == nil:
		x.tenant = tenant
		return nil
	case !errors.Is(err, ErrUnauthenticated):
		return err
	case key == "":
		return refuse(codeUnauthenticated, "give an API key, as in Authorization: Bearer <key>").with("WWW-Authenticate", `Bearer realm="belfry"`)
	}
	return refuse(codeUnauthenticated, "the API key is not known").with("WWW-Authenticate", `Bearer realm="belfry", error="invalid_token"`)
}
