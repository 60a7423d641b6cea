package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// attemptTimeout bounds one attempt of a call whose body and answer are small.
// Streams (raw uploads, imports, reports) are bounded by how long nothing moves.
const attemptTimeout = 30 * time.Second

// Client speaks Belfry's HTTP API v1 for one tenant, the one that its API key
// names. It is safe for concurrent use, holds no goroutine and needs no Close.
//
// Every method returns a [*Problem] (find it with errors.As) when the server
// answered with an error, and an error that wraps the cause when it did not
// answer. Calls that may be repeated without changing their effect are
// repeated as [Retry] says: GET, PUT, PATCH, DELETE, and every POST, because the
// client gives each POST an Idempotency-Key of its own and repeats it, or an
// upload offset that does the same. Only a stream that cannot be read twice is
// sent once.
//
// A server that takes a connection and then says nothing holds no call for
// ever: an attempt takes 30 s, a part of an upload 2 min, a stream ends after a
// minute in which not a byte moved either way, and an upload or a POST whose
// answer is the end of its work after ten minutes without that answer. A shorter
// limit is the context's.
type Client struct {
	base      *url.URL
	key       string
	approval  string  // of the requests; "": none
	signer    *Signer // nil: requests are not signed
	http      *http.Client
	retry     Retry
	userAgent string
	chance    func() float64 // in [0, 1)
	version   func(string)
	limits    func([]RateLimit)
}

// Option adjusts a [Client].
type Option func(*Client)

// WithHTTPClient makes calls through hc's transport, cookie jar and time-out.
// Its redirect policy is not used: a redirect would turn a POST into a GET, so
// it comes back as a [*Problem].
func WithHTTPClient(hc *http.Client) Option {
	return func(c *Client) {
		own := *hc
		c.http = &own
	}
}

// WithRetry replaces the default [Retry].
func WithRetry(r Retry) Option { return func(c *Client) { c.retry = r } }

// WithUserAgent names the calling program in the User-Agent header, in front
// of the client's own name.
func WithUserAgent(product string) Option {
	return func(c *Client) { c.userAgent = product + " " + userAgent }
}

// VersionHeader is the header of every answer of a server that says which version
// of Belfry it is, such as v1.2.3.
const VersionHeader = "Belfry-Version"

// WithServerVersion calls f with the server's version, as it says it in
// [VersionHeader], with every answer that has one. f may be called from several
// goroutines at a time.
func WithServerVersion(f func(version string)) Option { return func(c *Client) { c.version = f } }

// WithRateLimits calls f with how the caller's quotas stand, as each answer says it that has quotas to tell of. f may be
// called from several goroutines at a time.
func WithRateLimits(f func(limits []RateLimit)) Option { return func(c *Client) { c.limits = f } }

const userAgent = "belfry-client/1"

// New returns a client of the server at baseURL, such as
// https://push.example.com or http://127.0.0.1:8080; a path in it is kept as a
// prefix. The key is sent as a bearer token (RFC 6750 §2.1); it may be empty
// for a server on the loopback interface that asks for none. Over plain HTTP it
// travels readable, so use that on loopback or inside a mesh only.
func New(baseURL, apiKey string, opts ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("base URL: must be http://host or https://host (got %q)", baseURL)
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, errors.New("base URL: must have no user, query or fragment")
	}
	if strings.ContainsFunc(apiKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("API key: must be printable ASCII without spaces")
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = ""
	c := &Client{
		base: base, key: apiKey, http: &http.Client{},
		retry: DefaultRetry(), userAgent: userAgent, chance: rand.Float64,
	}
	for _, opt := range opts {
		opt(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// String returns the base URL: a client prints without its key.
func (c *Client) String() string { return c.base.String() }

// GoString does the same for %#v.
func (c *Client) GoString() string { return "client.Client(" + c.String() + ")" }

// CallOption adjusts one call.
type CallOption func(*callOptions)

type callOptions struct {
	tenant    string
	key       string
	progress  func(UploadResult)
	compress  Compression
	csvHeader []byte
}

// WithIdempotencyKey sets the call's Idempotency-Key. Give a key of your own
// when the same request may be made again after your process restarted: within
// 72 hours the server then answers what it answered first. Other calls than
// Send and CreateBatch (and SendBatch) make their own.
func WithIdempotencyKey(key string) CallOption { return func(o *callOptions) { o.key = key } }

// WithUploadProgress calls f after every part of an upload that became durable,
// with the totals so far, from the goroutine that uploads.
func WithUploadProgress(f func(UploadResult)) CallOption {
	return func(o *callOptions) { o.progress = f }
}

func gather(opts []CallOption) callOptions {
	var o callOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
