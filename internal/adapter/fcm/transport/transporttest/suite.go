// Package transporttest is what both transports of the sender must do: send once,
// bring the answer, and never call a request refused that the peer has taken.
package transporttest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// Client is a transport.
type Client interface {
	Do(ctx context.Context, h *transport.Header, body []byte, resp *transport.Response) error
	Connections() int
	Close(ctx context.Context) error
}

// Options are what a case asks of a transport.
type Options struct {
	Addr        string // host:port
	TLS         *tls.Config
	Connections int           // 0 = 1
	MaxStreams  int           // 0 = 90
	Timeout     time.Duration // 0 = 15 s
}

// Tells says what a transport can tell that another cannot. What it cannot is
// ambiguous with it: the case then demands that instead.
type Tells struct {
	// Unwritten is that a request which the transport has as a whole was not all
	// written, for want of flow control or because the peer does not read: the peer
	// cannot have processed it.
	Unwritten bool
	// Limit is that it sends nothing on a connection before it knows how many
	// requests the peer takes at a time. Another sends beyond that at first, and the
	// peer refuses it: the case then asks for no more than the peer takes.
	Limit bool
}

// Run runs the suite.
func Run(t *testing.T, tells Tells, open func(t *testing.T, o Options) Client) {
	t.Helper()
	s := &suite{tells: tells, make: open}
	for name, run := range map[string]func(t *testing.T){
		"sends once and brings the answer": s.testAnswers,
		"keeps to the limit of streams":    s.testLimit,
		"endings":                          s.testEndings,
		"GOAWAY":                           s.testGoAway,
		"nobody there":                     s.testDialFailures,
		"time-outs and ends of ctx":        s.testTime,
		"close":                            s.testClose,
		"verdicts are true":                s.testVerdicts,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); run(t) })
	}
}

type suite struct {
	tells Tells
	make  func(t *testing.T, o Options) Client
}

// open opens a transport that is closed with the test.
func (s *suite) open(t *testing.T, o Options) Client {
	t.Helper()
	if o.Connections == 0 {
		o.Connections = 1
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 90
	}
	if !s.tells.Limit {
		o.MaxStreams = min(o.MaxStreams, limitOfStreams)
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	cl := s.make(t, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cl.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return cl
}

// scripted opens a transport to a server that runs script for each connection.
func (s *suite) scripted(t *testing.T, o Options, script func(c *h2test.Conn)) Client {
	t.Helper()
	o.Addr = listen(t, func(c *h2test.Conn) {
		if c.Handshake() == nil {
			script(c)
		}
	})
	return s.open(t, o)
}

// listen serves every connection with script, and waits for the scripts at the
// end of the test.
func listen(t *testing.T, script func(c *h2test.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var scripts sync.WaitGroup
	scripts.Go(func() {
		h2test.Serve(ln, func(c *h2test.Conn) {
			scripts.Add(1)
			defer scripts.Done()
			script(c)
		})
	})
	t.Cleanup(func() { _ = ln.Close(); scripts.Wait() })
	return ln.Addr().String()
}

const bodyText = `{"message":{"token":"t"}}`

func header(scheme string) *transport.Header {
	return transport.NewHeader(scheme, "127.0.0.1", "/v1/projects/p/messages:send", "content-type", "application/json", "authorization",
		"Bearer one")
}

func send(ctx context.Context, cl Client) (transport.Response, error) {
	var resp transport.Response
	err := cl.Do(ctx, header("http"), []byte(bodyText), &resp)
	return resp, err
}

// wantKind fails unless err is an error of that kind.
func wantKind(t *testing.T, err error, want transport.Kind) {
	t.Helper()
	e, ok := errors.AsType[*transport.Error](err)
	if !ok || e.Kind != want {
		t.Errorf("error is %v, want one of kind %v", err, want)
	}
}

// echo answers every request with 200 and its own body until the end.
func echo(c *h2test.Conn) {
	for {
		r, err := c.ReadRequest()
		if err != nil || c.Respond(r.ID, 200, string(r.Body)) != nil {
			return
		}
	}
}

// drain reads until the connection ends.
func drain(c *h2test.Conn) {
	for {
		if _, _, err := c.Next(); err != nil {
			return
		}
	}
}
