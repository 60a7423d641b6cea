// Package proxy leads connections through an HTTP proxy, as the environment says:
// which proxy serves an address, and a tunnel through it by CONNECT
// (RFC 9110 §9.3.6). No error and no text of this package shows a proxy's user or
// password.
package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Choose returns the proxy for a URL, nil for none.
type Choose func(*url.URL) (*url.URL, error)

// FromEnvironment reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or their names in
// lower case, which win, as [http.ProxyFromEnvironment] does: no proxy serves
// localhost and loopback addresses. Unlike there, what is no proxy's URL is an
// error for the addresses that it is for, and no reason to do without.
func FromEnvironment() Choose {
	env := httpproxy.FromEnvironment()
	// The library decides which address needs a proxy; it ignores URLs that it cannot read.
	const some = "http://proxy.invalid"
	needed := (&httpproxy.Config{HTTPProxy: some, HTTPSProxy: some, NoProxy: env.NoProxy}).ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		name, value := "HTTPS_PROXY", env.HTTPSProxy
		if u.Scheme == "http" {
			name, value = "HTTP_PROXY", env.HTTPProxy
		}
		if value == "" {
			return nil, nil
		}
		if through, err := needed(u); through == nil || err != nil {
			return nil, err
		}
		p := parse(value)
		if p == nil {
			return nil, fmt.Errorf(
				"%s: must be an http:// or https:// URL such as http://proxy.example:3128 (its value is not shown: it may hold a password)", name)
		}
		return p, nil
	}
}

// parse reads a proxy's URL, to which http:// may be missing. It returns nil for
// what is none.
func parse(value string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		u, err = url.Parse("http://" + value)
	}
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	return u
}

// Name returns a proxy's URL without user and password.
func Name(u *url.URL) string { return u.Scheme + "://" + u.Host }

// Error is a connection that did not come about because of the proxy.
type Error struct {
	// Proxy is the proxy's name, see [Name].
	Proxy string
	// Err is the cause: the proxy cannot be reached, or what it said.
	Err error
}

// Error implements error.
func (e *Error) Error() string { return "proxy " + e.Proxy + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Check returns nil if the proxy opened the tunnel to an address, else an
// [*Error] with its answer and, for 407, what to do.
func Check(proxy *url.URL, addr string, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK { // the only one that net/http takes for success
		return nil
	}
	text := fmt.Sprintf("it answered CONNECT %s with %d %s", addr, answer.StatusCode, http.StatusText(answer.StatusCode))
	if answer.StatusCode == http.StatusProxyAuthRequired {
		if proxy.User == nil {
			text += ": put user and password into its URL, http://USER:PASSWORD@…"
		} else {
			text += ": it does not take the user and password in its URL"
		}
	}
	return &Error{Proxy: Name(proxy), Err: errors.New(text)}
}
