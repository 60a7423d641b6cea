package fcm

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// DefaultEndpoint is FCM's service endpoint with the API version
// (https://firebase.google.com/docs/reference/fcm/rest).
const DefaultEndpoint = "https://" + googleHost + "/v1"

const googleHost = "fcm.googleapis.com"

// minTimeout is the shortest time-out that FCM asks senders to use
// (https://firebase.google.com/docs/cloud-messaging/scale-fcm): giving up
// earlier turns slow answers into duplicates. Other endpoints, such as the
// simulator, may be called with less.
const minTimeout = 10 * time.Second

// The clients of HTTP/2 that a sender may use.
const (
	OwnHTTP = "own"     // package h2: costs least and tells most
	NetHTTP = "nethttp" // Go's net/http, see package nethttp
)

// Config says where and as whom to send. Zero fields get the defaults named
// beside them.
type Config struct {
	// Endpoint is the base URL up to the API version, [DefaultEndpoint]. With
	// http:// it is cleartext HTTP/2 by prior knowledge: for simulators only,
	// as the access token then travels in the clear.
	Endpoint string
	// Project is the Firebase project id; required by [New].
	Project string
	// HTTP is the client of HTTP/2, [OwnHTTP] or [NetHTTP]; [OwnHTTP].
	HTTP string
	// Connections is how many HTTP/2 connections are kept, 1..1000; 10.
	Connections int
	// MaxStreams bounds the concurrent requests of one connection, below what
	// FCM allows; 96.
	MaxStreams int
	// Timeout bounds one request, waiting for a free stream included; 15 s, and
	// at least 10 s for FCM itself.
	Timeout time.Duration
	// TLS configures the handshake of an https:// endpoint; nil = Go's defaults.
	TLS *tls.Config
	// TokenSource yields access tokens. It is called for one token at a time
	// and should fetch at each call rather than cache, as the one of
	// [Credentials] does. Nil sends no Authorization header.
	TokenSource oauth2.TokenSource
	// UserAgent names the sender; "belfry".
	UserAgent string

	proxies proxy.Choose // the environment's
}

// projectForm is a Google Cloud project id, with the "domain:" prefix that old
// ones have (https://cloud.google.com/resource-manager/docs/creating-managing-projects).
var projectForm = regexp.MustCompile(`^[a-z][a-z0-9.:-]{2,99}$`)

// target is where requests go, taken apart from a Config.
type target struct {
	scheme, authority, path, addr string
}

// setDefaults fills in what is missing. The target has no path.
func (c *Config) setDefaults() (target, error) {
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.HTTP == "" {
		c.HTTP = OwnHTTP
	}
	if c.Connections == 0 {
		c.Connections = 10
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 96
	}
	if c.proxies == nil {
		c.proxies = proxy.FromEnvironment()
	}
	if c.UserAgent == "" {
		c.UserAgent = "belfry"
	}
	var faults []error
	if c.HTTP != OwnHTTP && c.HTTP != NetHTTP {
		faults = append(faults, fmt.Errorf("HTTP client: must be %s or %s (got %q)", OwnHTTP, NetHTTP, c.HTTP))
	}
	to, err := parseEndpoint(c.Endpoint)
	if err != nil {
		faults = append(faults, err)
	}
	if strings.HasPrefix(to.authority, googleHost) && c.Timeout < minTimeout {
		faults = append(faults, fmt.Errorf("timeout: must be at least %v for FCM (got %v)", minTimeout, c.Timeout))
	}
	if !headerValue(c.UserAgent) {
		faults = append(faults, errors.New("user agent: must be printable ASCII"))
	}
	return to, errors.Join(faults...)
}

// checkProject refuses what is no project id.
func checkProject(id string) error {
	if !projectForm.MatchString(id) {
		return fmt.Errorf("project: must be a Firebase project id such as \"my-app-12345\" (got %q)", id)
	}
	return nil
}

func parseEndpoint(endpoint string) (target, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return target{}, fmt.Errorf("endpoint: %w", err)
	}
	port := u.Port()
	switch {
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return target{}, fmt.Errorf("endpoint: must be a base URL such as %s (got %q)", DefaultEndpoint, u.Redacted())
	case u.Scheme == "https" && port == "":
		port = "443"
	case u.Scheme == "http" && port == "":
		port = "80"
	case u.Scheme != "https" && u.Scheme != "http":
		return target{}, fmt.Errorf("endpoint: scheme must be https or http (got %q)", u.Scheme)
	}
	return target{
		scheme:    u.Scheme,
		authority: u.Host,
		path:      strings.TrimSuffix(u.EscapedPath(), "/"),
		addr:      net.JoinHostPort(u.Hostname(), port),
	}, nil
}

// of returns the target of a project's sends.
func (to target) of(project string) target {
	to.path += "/projects/" + project + "/messages:send"
	return to
}

// proxy returns the proxy that leads to the target, nil for none. Cleartext
// HTTP/2 by prior knowledge does not pass one.
func (to target) proxy(choose proxy.Choose) (*url.URL, error) {
	if to.scheme != "https" {
		return nil, nil
	}
	return choose(&url.URL{Scheme: to.scheme, Host: to.authority})
}

// headerValue reports whether s may stand in an HTTP field without escaping.
func headerValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// headers returns the request's header list with an access token, or without
// one if it is empty.
func (to target) headers(userAgent, token string) *transport.Header {
	extra := []string{"content-type", "application/json", "user-agent", userAgent}
	if token != "" {
		extra = append(extra, "authorization", "Bearer "+token)
	}
	return transport.NewHeader(to.scheme, to.authority, to.path, extra...)
}
