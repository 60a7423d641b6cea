package access

import "net/netip"

// Caller is who makes a request, and what it may.
type Caller struct {
	Tenant string // never ""
	App    string // the key is limited to this app; "" is all
	// Name tells the callers of a tenant apart and is recorded with what they do. It is no
	// secret.
	Name string
	Key  string // the API key's id; "" of a caller without one
	May  Set
	Sign Demand // which of its requests must be signed
}

// Can reports whether the caller has a permission.
func (c *Caller) Can(p Permission) bool { return c.May.Has(p) }

// Anonymous is the name of callers of a server that needs no key.
const Anonymous = "anonymous"

// Everybody returns the caller of a server that needs no key: the platform's operator.
func Everybody() Caller {
	return Caller{Tenant: DefaultName, Name: Anonymous, May: AllPermissions()}
}

// Presented is what a request brings to show who makes it.
type Presented struct {
	Key string // "" if it brought none
	// A signed request names its key by id or brings it, and has a Proof that it was signed
	// with the secret of that key. Proof is nil of a request that is not signed.
	KeyID string
	Proof func(secret []byte) bool
	From  netip.Addr // of the connection; the zero Addr if unknown
}
