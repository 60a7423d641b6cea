package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeCSV    = "text/csv"
)

// maxAnswer bounds what is read of one JSON answer: the largest, a page of
// 1,000 deliveries with their attempts, is far below.
const maxAnswer = 32 << 20

// call is one request, as often as it is attempted.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	stream       io.Reader     // instead of body: can be sent only once
	contentType  string        // default JSON, when there is a body
	encoding     string        // Content-Encoding of the body
	accept       string        // default JSON
	accepts      string        // Accept-Encoding; "" leaves it to the transport, which decodes what it asks for
	key          string        // Idempotency-Key
	lastEvent    string        // Last-Event-ID
	once         bool          // never repeated
	timeout      time.Duration // of the whole attempt; 0 bounds how long nothing moves
	silence      time.Duration // without timeout: how long the head of the answer may take, the stream apart; 0 means streamSilence
}

// post is a POST with an idempotency key: the given one or a fresh one.
func post(path string, body any, opts ...CallOption) (call, error) {
	cl := call{method: http.MethodPost, path: path, key: gather(opts).key, timeout: attemptTimeout}
	if cl.key == "" {
		cl.key = rand.Text()
	}
	if body == nil {
		return cl, nil
	}
	var err error
	if cl.body, err = json.Marshal(body); err != nil {
		return cl, fmt.Errorf("encode the body of POST %s: %w", path, err)
	}
	return cl, nil
}

func get(path string, query url.Values) call {
	return call{method: http.MethodGet, path: path, query: query, timeout: attemptTimeout}
}

// do makes the call and decodes the answer's JSON into out, unless out is nil
// or the answer is empty.
func (c *Client) do(ctx context.Context, cl call, out any) error {
	return c.attempts(ctx, cl, func(resp *http.Response) error {
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return &transportError{fmt.Errorf("read the answer: %w", err)}
		}
		if out == nil || len(bytes.TrimSpace(body)) == 0 {
			return nil
		}
		if err := json.Unmarshal(body, out); err != nil {
			if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != typeJSON && resp.Header.Get(VersionHeader) == "" {
				return &ForeignError{URL: c.String(), ContentType: kind, Server: resp.Header.Get("Server"), Excerpt: excerpt(body)}
			}
			return fmt.Errorf("decode the answer: %w", err)
		}
		return nil
	})
}

// open makes the call and returns the answer's body, a stream that the caller
// closes. Only the wait for its head is repeated.
func (c *Client) open(ctx context.Context, cl call) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := c.attempts(ctx, cl, func(resp *http.Response) error {
		body = resp.Body
		return nil
	})
	return body, err
}

// attempts is the one place that repeats. take owns the body of a 2xx answer.
func (c *Client) attempts(ctx context.Context, cl call, take func(*http.Response) error) error {
	for n := 1; ; n++ {
		after, err := c.attempt(ctx, cl, take)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			// The caller gave up; how the attempt failed is a consequence.
			return fmt.Errorf("%s %s: %w", cl.method, cl.path, context.Cause(ctx))
		}
		wait, again := c.retry.wait(n, after, c.chance())
		if !again || cl.once || cl.stream != nil || !transient(err) || IsProblem(err, "quota_exceeded") && after < 0 {
			return fmt.Errorf("%s %s: %w", cl.method, cl.path, err)
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("%s %s: %w (last answer: %w)", cl.method, cl.path, context.Cause(ctx), err)
		}
	}
}

// attempt makes the call once. The duration is the answer's Retry-After, or -1.
func (c *Client) attempt(ctx context.Context, cl call, take func(*http.Response) error) (time.Duration, error) {
	if cl.timeout > 0 {
		ctx, cancel := context.WithTimeout(ctx, cl.timeout)
		defer cancel()
		req, err := c.request(ctx, cl)
		if err != nil {
			return -1, err
		}
		return c.exchange(req, take)
	}
	p := newPulse(ctx, cmp.Or(cl.silence, streamSilence))
	req, err := c.request(p.ctx, cl) //nolint:contextcheck // made of ctx
	if err != nil {
		p.end()
		return -1, err
	}
	if cl.stream != nil {
		p.give(req)
	}
	after, err := c.exchange(req, func(resp *http.Response) error {
		p.answering(0)
		resp.Body = &taken{resp.Body, p}
		return take(resp)
	})
	if err != nil {
		p.end()
	}
	return after, p.told(err)
}

// exchange makes a request and has a 2xx answer taken. The duration is the
// answer's Retry-After, or -1.
func (c *Client) exchange(req *http.Request, take func(*http.Response) error) (time.Duration, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return -1, &transportError{err}
	}
	if v := resp.Header.Get(VersionHeader); v != "" && c.version != nil {
		c.version(v)
	}
	if c.limits != nil && resp.Header.Get("RateLimit") != "" {
		c.limits(RateLimits(resp.Header))
	}
	if resp.StatusCode/100 == 2 {
		return -1, take(resp)
	}
	defer func() { _ = resp.Body.Close() }()
	return retryAfter(resp.Header, time.Now()), problemOf(resp)
}

func (c *Client) request(ctx context.Context, cl call) (*http.Request, error) {
	body := cl.stream
	if cl.body != nil {
		body = bytes.NewReader(cl.body)
	}
	req, err := http.NewRequestWithContext(ctx, cl.method, c.base.String()+cl.path, body)
	if err != nil {
		return nil, fmt.Errorf("build the request: %w", err)
	}
	req.URL.RawQuery = cl.query.Encode()
	set := func(name, value, fallback string) {
		if value == "" {
			value = fallback
		}
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("Accept", cl.accept, typeJSON)
	set("Accept-Encoding", cl.accepts, "")
	set("User-Agent", c.userAgent, "")
	set("Idempotency-Key", cl.key, "")
	set("Last-Event-ID", cl.lastEvent, "")
	if body != nil {
		set("Content-Type", cl.contentType, typeJSON)
		set("Content-Encoding", cl.encoding, "")
	}
	set(headerApproval, c.approval, "")
	if c.key != "" {
		set("Authorization", "Bearer "+c.key, "")
	}
	return req, c.sign(req, &cl)
}

// ForeignError says that the answer to a call was not Belfry's: another program is
// at the URL, or one in front of the server answered by itself.
type ForeignError struct {
	URL         string // of the server
	ContentType string // of the answer, such as text/html
	Server      string // as the answer names it, such as nginx; may be empty
	Excerpt     string // of the answer
}

// Error implements error.
func (e *ForeignError) Error() string {
	who, kind := "another program", cmp.Or(e.ContentType, "no content type")
	if e.Server != "" {
		who += " (" + e.Server + ")"
	}
	return fmt.Sprintf("what answers at %s is not Belfry but %s: it sent %s instead of %s: %s", e.URL, who, kind, typeJSON, e.Excerpt)
}

// problemOf reads an error answer. What is not a problem document, such as a
// proxy's page, becomes one with the code "http".
func problemOf(resp *http.Response) error {
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil && len(body) == 0 {
		return &transportError{fmt.Errorf("read the answer (status %d): %w", resp.StatusCode, err)}
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p Problem
	if kind == "application/problem+json" && json.Unmarshal(body, &p) == nil {
		p.Status = resp.StatusCode
		return &p
	}
	return &Problem{
		Type: "about:blank", Title: strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))),
		Status: resp.StatusCode, Detail: excerpt(body), Code: "http", RequestID: resp.Header.Get("X-Request-Id"),
	}
}

// excerpt keeps the beginning of a body that people may read, on one line.
func excerpt(body []byte) string {
	const most = 200
	if !utf8.Valid(body) {
		return ""
	}
	s := strings.Join(strings.Fields(string(body)), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// IsProblem reports whether err is, or wraps, an answer of the server with the
// given code or, when code is empty, any error answer.
func IsProblem(err error, code string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && (code == "" || p.Code == code)
}
