package nethttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// Config says whom to talk to and with how much. All of it is required, but for
// TLS, Dial and OnConnections.
type Config struct {
	// TLS configures the handshake; nil = Go's defaults. It is not used without
	// https.
	TLS *tls.Config
	// Secure is https; else it is cleartext HTTP/2 with prior knowledge.
	Secure bool
	// Connections is how many connections are kept, 1..1000.
	Connections int
	// MaxStreams bounds the concurrent requests of one connection, 1..10000.
	MaxStreams int
	// Timeout is how long a request may take, waiting for a stream included.
	Timeout time.Duration
	// Dial opens a transport connection to the peer; nil = straight.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnConnections is told the number of open connections whenever it changes.
	OnConnections func(n int)
}

const (
	// dialTimeout bounds connecting and the TLS handshake each.
	dialTimeout = 10 * time.Second
	// pingIdle is after how long a silence a connection is pinged, and pingTimeout
	// how long it may take to answer.
	pingIdle, pingTimeout = 10 * time.Second, 5 * time.Second

	maxConnections = 1000
	maxMaxStreams  = 10_000
)

var (
	errClosed   = errors.New("client is closed")
	errNoAnswer = errors.New("no answer within the time-out")
	errNoStream = errors.New("no free stream within the time-out")
)

// Client sends requests over a number of connections to one origin. It is safe
// for concurrent use.
type Client struct {
	cfg    Config
	lanes  []*http.Transport    // each keeps one connection
	places chan *http.Transport // one entry for each request that may be under way; lanes take turns
	last   atomic.Pointer[prepared]

	life context.Context //nolint:containedctx // ends what is under way at a Close that cannot wait
	end  context.CancelCauseFunc

	mu     sync.Mutex
	open   map[*counted]bool
	closed chan struct{}
	once   sync.Once
	work   sync.WaitGroup // requests under way
}

// prepared is a header list as net/http wants it.
type prepared struct {
	from   *transport.Header
	url    *url.URL
	header http.Header
}

// New returns a client. It connects when there are requests. End it with
// [Client.Close].
func New(cfg Config) (*Client, error) {
	var faults []error
	if cfg.Connections < 1 || cfg.Connections > maxConnections {
		faults = append(faults, fmt.Errorf("connections: must be 1..%d (got %d)", maxConnections, cfg.Connections))
	}
	if cfg.MaxStreams < 1 || cfg.MaxStreams > maxMaxStreams {
		faults = append(faults, fmt.Errorf("max streams: must be 1..%d (got %d)", maxMaxStreams, cfg.MaxStreams))
	}
	if cfg.Timeout <= 0 {
		faults = append(faults, fmt.Errorf("timeout: must be above 0 (got %v)", cfg.Timeout))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.OnConnections == nil {
		cfg.OnConnections = func(int) {}
	}
	cl := &Client{
		cfg: cfg, open: map[*counted]bool{}, closed: make(chan struct{}), places: make(chan *http.Transport, cfg.Connections*cfg.MaxStreams),
	}
	cl.life, cl.end = context.WithCancelCause(context.Background())
	for range cfg.Connections {
		cl.lanes = append(cl.lanes, cl.lane())
	}
	for range cfg.MaxStreams {
		for _, l := range cl.lanes {
			cl.places <- l
		}
	}
	return cl, nil
}

// lane returns net/http's transport for one connection.
func (cl *Client) lane() *http.Transport {
	t := &http.Transport{
		DialContext:         cl.dial,
		TLSClientConfig:     cl.cfg.TLS.Clone(),
		TLSHandshakeTimeout: dialTimeout,
		DisableCompression:  true,
		MaxConnsPerHost:     1,
		Protocols:           new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			StrictMaxConcurrentRequests: true, // beyond the peer's limit requests wait instead of opening connections
			SendPingTimeout:             pingIdle, PingTimeout: pingTimeout,
			MaxReceiveBufferPerStream: transport.MaxBody,
		},
	}
	t.Protocols.SetHTTP2(cl.cfg.Secure)
	t.Protocols.SetUnencryptedHTTP2(!cl.cfg.Secure)
	return t
}

// dial opens a connection that is counted.
func (cl *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := cl.cfg.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &counted{Conn: conn, from: cl}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.open[c] = true
	cl.cfg.OnConnections(len(cl.open))
	return c, nil
}

// counted is a connection that counts.
type counted struct {
	net.Conn

	from *Client
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	cl := c.from
	cl.mu.Lock()
	if cl.open[c] {
		delete(cl.open, c)
		cl.cfg.OnConnections(len(cl.open))
	}
	cl.mu.Unlock()
	return c.Conn.Close()
}

// Connections returns how many connections are open.
func (cl *Client) Connections() int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return len(cl.open)
}

// Do sends one request, once, and waits for its answer, which it puts into resp.
// Body must not change until Do returns. The error is a [*transport.Error], or
// what ctx said if it ended before the whole request was written; an answer of
// any status is no error.
func (cl *Client) Do(ctx context.Context, h *transport.Header, body []byte, resp *transport.Response) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	resp.Reset()
	if !cl.begin() {
		return &transport.Error{Kind: transport.Refused, Err: errClosed}
	}
	defer cl.work.Done()
	limited, cancel := context.WithTimeoutCause(ctx, cl.cfg.Timeout, errNoAnswer)
	defer cancel()
	var lane *http.Transport
	select {
	case lane = <-cl.places:
	case <-cl.closed:
		return &transport.Error{Kind: transport.Refused, Err: errClosed}
	case <-limited.Done():
		if err := ctx.Err(); err != nil {
			return err
		}
		return &transport.Error{Kind: transport.Refused, Err: errNoStream}
	}
	defer func() { cl.places <- lane }()

	under, end := context.WithCancelCause(limited)
	defer end(nil)
	defer context.AfterFunc(cl.life, func() { end(errClosed) })() //nolint:contextcheck // the client's own end
	sent := &onceBody{rest: body}
	defer sent.end()
	err := cl.exchange(under, lane, h, sent, int64(len(body)), resp)
	if err == nil {
		return nil
	}
	if resp.Status != 0 { // the peer's verdict is known and only its words are lost
		resp.Truncated = true
		return nil
	}
	return classify(ctx, under, err, sent.end())
}

// begin enters a request, unless the client is closed.
func (cl *Client) begin() bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	select {
	case <-cl.closed:
		return false
	default:
		cl.work.Add(1)
		return true
	}
}

// exchange makes the request and reads the answer.
func (cl *Client) exchange(ctx context.Context, lane *http.Transport, h *transport.Header, body io.ReadCloser, n int64,
	resp *transport.Response,
) error {
	p := cl.prepare(h)
	// Without GetBody net/http cannot send a body that it has read a second time.
	answer, err := lane.RoundTrip((&http.Request{
		Method: http.MethodPost, URL: p.url, Host: h.Authority, Header: p.header, Body: body, ContentLength: n,
	}).WithContext(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	resp.Status, resp.RetryAfter = answer.StatusCode, answer.Header.Get("Retry-After")
	for {
		if len(resp.Body) == cap(resp.Body) {
			resp.Body = append(resp.Body, 0)[:len(resp.Body)]
		}
		room := min(cap(resp.Body), transport.MaxBody)
		n, err := answer.Body.Read(resp.Body[len(resp.Body):room])
		resp.Body = resp.Body[:len(resp.Body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(resp.Body) == transport.MaxBody:
			// Closing the body ends the stream. To see whether there is more could take long.
			resp.Truncated = answer.ContentLength != transport.MaxBody
			return nil
		}
	}
}

// prepare returns the header list as net/http wants it; it must not be changed.
func (cl *Client) prepare(h *transport.Header) *prepared {
	if p := cl.last.Load(); p != nil && p.from == h {
		return p
	}
	p := &prepared{from: h, header: make(http.Header, len(h.Fields))}
	for _, f := range h.Fields {
		p.header.Add(f.Name, f.Value)
	}
	path, err := url.PathUnescape(h.Path)
	if err != nil {
		path = h.Path
	}
	p.url = &url.URL{Scheme: h.Scheme, Host: h.Authority, Path: path, RawPath: h.Path}
	cl.last.Store(p)
	return p
}

// Close refuses new requests, waits for those under way until ctx ends, then ends
// them and closes every connection. Requests that are still open then fail as of
// a broken connection. The error is ctx's.
func (cl *Client) Close(ctx context.Context) error {
	cl.mu.Lock()
	cl.once.Do(func() { close(cl.closed) })
	cl.mu.Unlock()
	idle := make(chan struct{})
	go func() { cl.work.Wait(); close(idle) }()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
		cl.end(errClosed)
		<-idle
	}
	cl.end(errClosed)
	for _, l := range cl.lanes {
		l.CloseIdleConnections()
	}
	// A connection whose last request was given up is not idle to net/http for a
	// moment, and would stay.
	cl.mu.Lock()
	left := slices.Collect(maps.Keys(cl.open))
	cl.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	return err
}
