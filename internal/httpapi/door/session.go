package door

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/belfry-push/belfry/internal/access"
)

const (
	// sessionCookie carries the API key of a person who signed in to the console, as base64url.
	sessionCookie = "belfry_console"
	// HeaderCSRF is what a request of the console that may change something has beside its cookie.
	HeaderCSRF = "X-Belfry-CSRF"
)

// SignIn has the browser send the key with every request to this server until it is closed or [Exchange.SignOut] is
// called. The server keeps nothing, so that any instance knows it, and a key that is revoked ends it at once.
func (x *Exchange) SignIn(key string) {
	x.setSession(base64.RawURLEncoding.EncodeToString([]byte(key)), 0)
}

// SignOut has the browser forget the key.
func (x *Exchange) SignOut() { x.setSession("", -1) }

func (x *Exchange) setSession(value string, age int) {
	http.SetCookie(x.w, &http.Cookie{ //nolint:gosec // a server may be without HTTPS; where there is, Secure is set
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: x.encrypted(),
	})
}

// encrypted reports whether the browser speaks HTTPS, to this server or to a proxy in front of it.
func (x *Exchange) encrypted() bool {
	return x.Request.TLS != nil || strings.HasPrefix(x.Request.Header.Get("Origin"), "https://") ||
		strings.EqualFold(x.Request.Header.Get("X-Forwarded-Proto"), "https")
}

// SessionKey returns the key that the browser was given, "" if it has none.
func (x *Exchange) SessionKey() string {
	c, err := x.Request.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	key, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return ""
	}
	return string(key)
}

// Identify returns whom a key lets in, with "" whom the server lets in without one. The error is a [*RefusalError] if
// that is nobody, or if the key's requests must be signed, which browsers cannot.
func (x *Exchange) Identify(ctx context.Context, key string) (access.Caller, error) {
	caller, err := x.door.cfg.Auth.Authenticate(ctx, access.Presented{Key: key, From: remote(x.Request)})
	if denied, ok := errors.AsType[*access.DeniedError](err); ok {
		return access.Caller{}, Refuse(CodeUnauthenticated, "%s", denied.Reason).With("WWW-Authenticate", `Bearer realm="belfry"`)
	}
	if err == nil {
		err = checkSigned(x, &caller)
	}
	return caller, err
}

// CSRF is what [HeaderCSRF] must say beside a key's cookie: it follows from the key, which no page can read.
func CSRF(key string) string {
	if key == "" {
		return ""
	}
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte("belfry console"))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// presentedKey returns the key that a request brings: in its header, or in its cookie. A request with a cookie that may
// change something must show that the console sent it.
func presentedKey(x *Exchange) (string, error) {
	if key := bearer(x.Request.Header); key != "" || x.Request.Header.Get("Authorization") != "" {
		return key, nil
	}
	key := x.SessionKey()
	if key == "" || x.Request.Method == http.MethodGet || x.Request.Method == http.MethodHead {
		return key, nil
	}
	if subtle.ConstantTimeCompare([]byte(x.Request.Header.Get(HeaderCSRF)), []byte(CSRF(key))) != 1 {
		return "", Refuse(CodeOrigin, "the request has the console's cookie, and not the %s that belongs to it: programs send Authorization",
			HeaderCSRF)
	}
	return key, nil
}
