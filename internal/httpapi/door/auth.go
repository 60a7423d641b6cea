package door

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/sameorigin"
)

// Authenticator finds out who makes a request. Safe for concurrent use.
type Authenticator interface {
	// Authenticate returns who makes a request, or an [*access.DeniedError].
	Authenticate(ctx context.Context, p access.Presented) (access.Caller, error)
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

// authenticate sets who makes the request. The challenge names an
// error only when a key was given (RFC 6750 §3.1).
func (d *Door) authenticate(ctx context.Context, x *Exchange) error {
	p, signed, err := d.present(x)
	if err != nil {
		return err
	}
	caller, err := d.cfg.Auth.Authenticate(ctx, p)
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		challenge := `Bearer realm="belfry"`
		if p.Key != "" || signed != nil {
			challenge += `, error="invalid_token"`
		}
		return Refuse(CodeUnauthenticated, "%s", denied.Reason).With("WWW-Authenticate", challenge)
	}
	if err != nil {
		return err
	}
	if signed == nil {
		err = checkSigned(x, &caller)
	} else {
		err = d.once(ctx, &caller, signed)
	}
	if err != nil {
		return err
	}
	x.Tenant, x.Who = caller.Tenant, caller
	return nil
}

// permit refuses what the caller may not do.
func (x *Exchange) permit() error {
	if !x.Who.Can(x.route.Needs) {
		return Refuse(CodeForbidden, "this needs the permission %s, which %s has not: use a key with a role and scopes that allow it",
			x.route.Needs, x.Who.Name)
	}
	return nil
}

// remote is the address at the other end of the connection, the zero Addr if it is none: a
// proxy's, if there is one in front.
func remote(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
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
