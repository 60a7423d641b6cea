package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
)

// Keys are keys from the settings, of which only hashes are kept. They can't be revoked. Keys
// without any key let every request in, as [Everybody]; a server with such Keys must listen on
// the loopback interface only. Safe for concurrent use.
type Keys struct {
	entries []keyEntry
}

type keyEntry struct {
	hash   [sha256.Size]byte
	caller Caller
}

// FixedName is the name of the callers that use a key from the settings: key: and the first 8
// digits of its SHA-256. It says nothing about the key that helps to guess it, and whoever
// has the key can tell that it is meant.
func FixedName(text string) string {
	hash := sha256.Sum256([]byte(text))
	const shown = 4 // bytes
	return "key:" + hex.EncodeToString(hash[:shown])
}

// NewKeys returns Keys for a map from key to tenant; each is its tenant's owner. The empty key
// names nobody and is left out.
func NewKeys(tenants map[string]string) Keys {
	owner, _ := builtin(RoleOwner)
	var k Keys
	for key, tenant := range tenants {
		if key != "" {
			k.entries = append(k.entries, keyEntry{sha256.Sum256([]byte(key)), Caller{
				Tenant: tenant, Name: FixedName(key), May: granted(tenant, "", &owner, nil),
			}})
		}
	}
	return k
}

// Open reports whether requests need no key.
func (k Keys) Open() bool { return len(k.entries) == 0 }

// Authenticate returns who makes a request, or a [*DeniedError].
func (k Keys) Authenticate(_ context.Context, p Presented) (Caller, error) {
	switch c, ok := k.find(p.Key); {
	case k.Open():
		return Everybody(), nil
	case ok:
		return c, nil
	case p.Key == "":
		return Caller{}, &DeniedError{reasonNone}
	}
	return Caller{}, &DeniedError{reasonUnknown}
}

// find compares all hashes in constant time, so that its duration says nothing about a key.
func (k Keys) find(text string) (Caller, bool) {
	if len(k.entries) == 0 {
		return Caller{}, false
	}
	hash := sha256.Sum256([]byte(text))
	var found Caller
	for i := range k.entries {
		if subtle.ConstantTimeCompare(hash[:], k.entries[i].hash[:]) == 1 {
			found = k.entries[i].caller
		}
	}
	return found, found.Tenant != ""
}
