package door

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/belfry-push/belfry/internal/sameorigin"
)

// DefaultTenant is the tenant of a server with one key or none.
const DefaultTenant = "default"

// ErrUnauthenticated says that a key names no tenant.
var ErrUnauthenticated = errors.New("unknown API key")

// Anonymous is the name of callers of a server that needs no key.
const Anonymous = "anonymous"

// Caller is whose request it is.
type Caller struct {
	Tenant string
	// Name tells the callers of a tenant apart. It is no secret, stays the same as long
	// as the key does, and is recorded with what the caller sends.
	Name string
}

// Authenticator finds out whose request it is. Safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the caller that the key names, or
	// ErrUnauthenticated. The key is "" when the request brought none.
	Authenticate(ctx context.Context, key string) (Caller, error)
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
	caller Caller
}

// KeyName is the name of the callers that use an API key: key: and the first 8 digits of the
// key's SHA-256. It says nothing about the key that helps to guess it, and whoever has the
// key can tell that it is meant.
func KeyName(key string) string {
	hash := sha256.Sum256([]byte(key))
	const shown = 4 // bytes
	return "key:" + hex.EncodeToString(hash[:shown])
}

// NewKeys returns Keys for a map from key to tenant. The empty key names nobody
// and is left out.
func NewKeys(tenants map[string]string) Keys {
	var k Keys
	for key, tenant := range tenants {
		if key != "" {
			k.entries = append(k.entries, keyEntry{sha256.Sum256([]byte(key)), Caller{Tenant: tenant, Name: KeyName(key)}})
		}
	}
	return k
}

// Open reports whether requests need no key.
func (k Keys) Open() bool { return len(k.entries) == 0 }

// Authenticate implements [Authenticator]. It compares all hashes in constant time, so that
// its duration says nothing about a key.
func (k Keys) Authenticate(_ context.Context, key string) (Caller, error) {
	if k.Open() {
		return Caller{Tenant: DefaultTenant, Name: Anonymous}, nil
	}
	hash := sha256.Sum256([]byte(key))
	var found Caller
	for i := range k.entries {
		if subtle.ConstantTimeCompare(hash[:], k.entries[i].hash[:]) == 1 {
			found = k.entries[i].caller
		}
	}
	if found.Tenant == "" {
		return Caller{}, ErrUnauthenticated
	}
	return found, nil
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

// authenticate sets the exchange's tenant and caller. The challenge names an error only
// when a key was given (RFC 6750 §3.1).
func (d *Door) authenticate(ctx context.Context, x *Exchange) error {
	key := bearer(x.Request.Header)
	caller, err := d.cfg.Auth.Authenticate(ctx, key)
	switch {
	case err == nil:
		x.Tenant, x.Caller = caller.Tenant, caller.Name
		return nil
	case !errors.Is(err, ErrUnauthenticated):
		return err
	case key == "":
		return Refuse(CodeUnauthenticated, "give an API key, as in Authorization: Bearer <key>").With("WWW-Authenticate", `Bearer realm="belfry"`)
	}
	return Refuse(CodeUnauthenticated, "the API key is not known").With("WWW-Authenticate", `Bearer realm="belfry", error="invalid_token"`)
}

// checkPage refuses what a web page of another origin sends or reads, on every
// path and with or without a key. It comes first: a page must not learn which
// paths there are.
func (d *Door) checkPage(x *Exchange) error {
	refused := d.cfg.Pages.Check(x.Request)
	switch {
	case refused == nil:
		return nil
	case refused.Kind == sameorigin.WrongHost:
		return Refuse(CodeHost, "%s", refused.Detail)
	}
	return Refuse(CodeOrigin, "%s", refused.Detail)
}
