package awsconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// How long one attempt of a call may take. The SDK tries MaxAttempts times, with
// at most longestPause in between, and never beyond the end of the caller's
// context.
const (
	// Attempt is for a whole attempt at any call but those below: from the moment
	// it has a connection to the last byte of its answer.
	Attempt = 3 * time.Second
	// PollMargin is what a long poll may take beyond the wait that it asks for.
	PollMargin = 4 * time.Second
	// silenceLimit is for S3, whose objects take as long as they are large: how long an
	// attempt may go without a byte in either direction.
	silenceLimit = 5 * time.Second
	// slowestUpload is the least rate, in bytes a second, at which S3 is expected to
	// take an upload. The kernel buffers data, so progress is not visible.
	slowestUpload = 1 << 20

	longestDial  = 2 * time.Second // a connection, and again its TLS handshake
	longestPause = time.Second
	longestIdle  = time.Minute // of a connection between two calls
)

// A peer that is gone without a word is noticed by the kernel within 15 s, also
// under a long poll. One that keeps its connections and says nothing is not:
// that is what the limits above are for.
const (
	probeAfter = 5 * time.Second
	probeEvery = 5 * time.Second
	probes     = 2
)

// SilentError is an attempt that was broken off because a service did not answer
// in time. Whether it did what it was asked is unknown.
type SilentError struct {
	Service string        // the SDK's id of it: "DynamoDB"
	After   time.Duration // since when there was nothing to hear
}

// Error implements error.
func (e *SilentError) Error() string {
	return fmt.Sprintf("no answer from %s for %s", e.Service, e.After)
}

// Timeout tells the SDK to try again, and our tables what it was.
func (*SilentError) Timeout() bool { return true }

// Client makes the attempts at the calls of all services. Each service has
// connections of its own, so that a silent one takes none from the others. It
// speaks HTTP/1.1 alone, as AWS does: an attempt has its connection to itself,
// and breaking the attempt off closes it. The other connections to that service
// which lie idle are closed with it, since what made one silent has probably
// met them all; the next attempt dials anew. Safe for concurrent use.
type Client struct {
	pools *pools
	limit time.Duration // of an attempt; 0 means what is stated for its service
}

var _ aws.HTTPClient = (*Client)(nil)

// newClient returns a client whose connections are like those of base.
func newClient(base *http.Transport, limit time.Duration) *Client {
	return &Client{pools: &pools{base: base, all: map[string]*http.Transport{}}, limit: limit}
}

// Within returns a client on the same connections whose attempts may take d, for
// long polls. One that is not ours is returned as it is.
func Within(c aws.HTTPClient, d time.Duration) aws.HTTPClient {
	if own, ok := c.(*Client); ok {
		return &Client{pools: own.pools, limit: d}
	}
	return c
}

// Close closes the connections that lie idle.
func (c *Client) Close() { c.pools.close() }

// Do makes one attempt. The end of the request's own context ends it as well.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	service := awsmiddleware.GetServiceID(r.Context())
	switch {
	case c.limit > 0:
		return c.do(r, service, c.limit, false)
	case service == s3.ServiceID:
		return c.do(r, service, silenceLimit+time.Duration(max(r.ContentLength, 0))*time.Second/slowestUpload, true)
	}
	return c.do(r, service, Attempt, false)
}

// do makes an attempt whose limit is for the whole, or begins anew with every
// byte.
func (c *Client) do(r *http.Request, service string, limit time.Duration, progress bool) (*http.Response, error) {
	pool := c.pools.of(service)
	ctx, cancel := context.WithCancel(r.Context())
	a := &attempt{service: service, limit: limit, progress: progress, cancel: cancel}
	a.timer = time.AfterFunc(limit, func() {
		a.late.Store(true)
		cancel()
		pool.CloseIdleConnections()
	})
	a.timer.Stop() // waiting for one of our own connections is nobody's silence
	sent := r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.restart() }}))
	if r.Body != nil && r.Body != http.NoBody {
		sent.Body = &requestBody{ReadCloser: r.Body, attempt: a}
	}
	client := http.Client{Transport: pool, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(sent)
	if err != nil {
		a.end()
		return nil, a.asSilent(r.Context(), err)
	}
	if progress {
		a.timer.Stop() // until somebody reads
	}
	response.Body = &responseBody{ReadCloser: response.Body, attempt: a, ctx: r.Context()}
	return response, nil
}

// attempt is one request under way.
type attempt struct {
	service  string
	limit    time.Duration
	progress bool // every byte begins the limit anew
	timer    *time.Timer
	late     atomic.Bool
	over     atomic.Bool
	cancel   context.CancelFunc
}

// alive begins the limit anew.
func (a *attempt) restart() {
	if !a.late.Load() && !a.over.Load() {
		a.timer.Reset(a.limit)
	}
}

func (a *attempt) end() {
	a.over.Store(true)
	a.timer.Stop()
	a.cancel()
}

// asSilent returns a [*SilentError] if one of our limits ended the attempt, else err.
// The timeout of a dial compares equal to the end of the caller's context, and must
// not be taken for it.
func (a *attempt) asSilent(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case a.late.Load():
		return &SilentError{Service: a.service, After: a.limit}
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return &SilentError{Service: a.service, After: longestDial}
	}
	return err
}

// requestBody is the body of a request. If the attempt's limit is one of progress,
// every read restarts it.
//
// It hides the body's WriteTo. The SDK closes a body as soon as the head of the
// answer is there, and WriteTo of a closed one says io.EOF, which is an error
// there (smithy-go v1, transport/http/internal/io/safe.go). If net/http is still
// about to look for the body's end, it takes that for a failure of the request,
// and closes the connection under the reader of the answer: "use of closed
// network connection" (github.com/aws/aws-sdk-go-v2/issues/1825). Read of a
// closed body is plainly at its end.
type requestBody struct {
	io.ReadCloser
	attempt *attempt
}

// Read implements io.Reader.
func (h *requestBody) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if n > 0 && h.attempt.progress {
		h.attempt.restart()
	}
	return n, err
}

// responseBody is the body of an answer. Closing it ends the attempt.
type responseBody struct {
	io.ReadCloser
	attempt *attempt
	ctx     context.Context //nolint:containedctx // of the request, to tell its end from ours
}

// Read implements io.Reader. Where progress counts, the time that its caller
// takes between two reads does not.
func (b *responseBody) Read(p []byte) (int, error) {
	if b.attempt.progress {
		b.attempt.restart()
		defer b.attempt.timer.Stop()
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.attempt.timer.Stop()
		return n, err
	}
	return n, b.attempt.asSilent(b.ctx, err)
}

// Close implements io.Closer.
func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.end()
	return err
}

// pools are the connections of each service, by its id.
type pools struct {
	base *http.Transport
	mu   sync.Mutex
	all  map[string]*http.Transport
}

func (p *pools) of(service string) *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[service] == nil {
		p.all[service] = p.base.Clone()
	}
	return p.all[service]
}

func (p *pools) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pool := range p.all {
		pool.CloseIdleConnections()
	}
}

// connections says how base has to connect: everything that may run at once
// keeps its connection, and none waits long for one.
func connections(base *http.Transport, most int) *http.Transport {
	dialer := &net.Dialer{
		Timeout:         longestDial,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes},
	}
	base.DialContext = dialer.DialContext
	base.TLSHandshakeTimeout = longestDial
	base.MaxConnsPerHost = most
	base.MaxIdleConnsPerHost = most
	base.MaxIdleConns = 0 // no limit beyond that of each host
	base.IdleConnTimeout = longestIdle
	base.ForceAttemptHTTP2 = false
	base.Protocols = new(http.Protocols)
	base.Protocols.SetHTTP1(true)
	return base
}
