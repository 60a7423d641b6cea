// Package sameorigin keeps other people's web pages out of an HTTP server.
//
// Any page that a browser on this machine shows can send requests to
// 127.0.0.1, and, by pointing a name of its own there (DNS rebinding), read the
// answers as well. Neither is stopped by listening on the loopback interface or
// by asking for no cookies. So a [Guard] looks at what browsers say of
// themselves (Sec-Fetch-Site, Origin) and at the name that a server is called by
// (Host). It decides about nothing else: who may do what is said by keys.
package sameorigin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Kind is why a request is not welcome.
type Kind uint8

// The kinds of refusal.
const (
	CrossOrigin Kind = iota // a page of another origin sent it
	WrongHost               // it is for another name than the server's
)

// Refusal says why a request is not welcome and what would make it so. It
// repeats nothing of the request.
type Refusal struct {
	Kind   Kind
	Detail string
}

// Setting is the name under which operators find [Config.Allowed].
const Setting = "BELFRY_ALLOWED_HOSTS"

// Config says under which names a server is known.
type Config struct {
	// Listen is the address that it listens on, host:port.
	Listen string
	// Allowed are further host names, without a port: those of proxies that pass
	// the name on or change it. "*.example.com" stands for every name below
	// example.com, "*" for every name. Pages of the plain names may send requests.
	Allowed []string
	// AnyHost leaves the Host header alone: every request needs a key, which a
	// page that gave the server a name of its own does not have.
	AnyHost bool
}

// Guard checks requests. It is immutable and safe for concurrent use.
type Guard struct {
	pages   *http.CrossOriginProtection
	anyHost bool
	private bool // listens on the loopback interface only
	names   []string
	below   []string // ".example.com"
	origins []string // of pages that may send requests
}

// New returns a guard, or an error that names every name in Allowed that is
// none.
func New(cfg Config) (*Guard, error) {
	g := &Guard{pages: http.NewCrossOriginProtection(), anyHost: cfg.AnyHost}
	var errs []error
	for _, name := range cfg.Allowed {
		name = canonical(name)
		suffix, wild := strings.CutPrefix(name, "*")
		switch {
		case name == "*":
			g.anyHost = true
		case wild && strings.HasPrefix(suffix, ".") && IsHostName(suffix[1:]):
			g.below = append(g.below, suffix)
		case !wild && IsHostName(name):
			g.names = append(g.names, name)
			for _, scheme := range []string{"http://", "https://"} {
				g.origins = append(g.origins, scheme+bracketed(name))
				errs = append(errs, g.pages.AddTrustedOrigin(scheme+bracketed(name)))
			}
		default:
			errs = append(errs, fmt.Errorf("allowed host %q: must be a host name or IP address without a port, *.example.com or *", name))
		}
	}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil {
		if host = canonical(host); host != "" {
			g.names = append(g.names, host)
		}
		g.private = loopback(host)
	}
	return g, errors.Join(errs...)
}

// IsHostName reports whether s is a host name or an IP address and nothing
// more.
func IsHostName(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	const longest = 253 // RFC 1035 §2.3.4, without the root's dot
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	if s == "" || len(s) > longest {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	return true
}

// Check returns nil for a request that is welcome.
//
// Not welcome are: a name that is not the server's; a request that may change
// something and comes from a page of another origin, "null" included; and any
// other request that a page of another origin makes for itself. Following a
// link is none of these: the answer is shown to the person, not to the page.
func (g *Guard) Check(r *http.Request) *Refusal {
	if !g.anyHost && !g.knows(r.Host) {
		return &Refusal{
			WrongHost, "the request is for another host than this one: use the address that the server listens on, or name the host in " + Setting,
		}
	}
	if g.pages.Check(r) != nil || g.embedded(r) {
		return &Refusal{
			CrossOrigin, "a web page of another origin sent the request: send it from a program, or name the page's host in " + Setting,
		}
	}
	return nil
}

// embedded reports whether a page of another origin makes a request that
// changes nothing: for a script, an image, a frame, or with fetch. Its answer
// would be kept from the page, but not its size or that it exists.
func (g *Guard) embedded(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	if slices.Contains(g.origins, r.Header.Get("Origin")) {
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// knows reports whether the server goes by the name in a Host header. Ports do
// not matter: a name of one's own is what rebinding needs. A request without a
// Host is HTTP/1.0's, which no browser speaks.
func (g *Guard) knows(header string) bool {
	host := hostOf(header)
	if host == "" || loopback(host) || slices.Contains(g.names, host) {
		return true
	}
	if slices.ContainsFunc(g.below, func(suffix string) bool { return strings.HasSuffix(host, suffix) }) {
		return true
	}
	if g.private {
		return false
	}
	// A server that others reach is called by its addresses and by names of its
	// own network. Nobody can give a page an address, or a name without a dot.
	_, err := netip.ParseAddr(host)
	return err == nil || !strings.Contains(host, ".")
}

// hostOf returns the name of a Host header or the like, without its port, in
// the form in which names are kept.
func hostOf(header string) string {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	return canonical(host)
}

// canonical is a host in lower case, without brackets and the root's dot.
func canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), ".")
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	return host
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// loopback reports whether the canonical host is this machine for whoever names
// it: an address, or a name that resolvers must not ask others for
// (RFC 6761 §6.3).
func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
