package h2_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const bodyText = `{"message":{"token":"t"}}`

func postHeader() *transport.Header {
	return transport.NewHeader("http", "sim", "/v1/projects/p/messages:send", "content-type", "application/json", "authorization",
		"Bearer one")
}

// listen serves every connection with script on a free port, and waits for the
// scripts at the end of the test.
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

// newClient returns a client with one connection unless cfg says otherwise.
func newClient(t *testing.T, cfg h2.Config) *h2.Client {
	t.Helper()
	if cfg.Connections == 0 {
		cfg.Connections = 1
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Millisecond
	}
	cl, err := h2.New(t.Context(), cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cl.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return cl
}

// scripted returns a client on a server that runs script after the handshake.
func scripted(t *testing.T, cfg h2.Config, script func(c *h2test.Conn)) *h2.Client {
	t.Helper()
	cfg.Addr = listen(t, func(c *h2test.Conn) {
		if c.Handshake() == nil {
			script(c)
		}
	})
	return newClient(t, cfg)
}

// piped returns a client whose connections are pipes to script, for use within
// a synctest bubble.
func piped(t *testing.T, cfg h2.Config, script func(c *h2test.Conn)) *h2.Client {
	t.Helper()
	cfg.Addr = "pipe:1"
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			c := h2test.NewConn(theirs)
			if c.Handshake() == nil {
				script(c)
			}
		}()
		return ours, nil
	}
	return newClient(t, cfg)
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

// drain reads until the connection ends and returns the frames of interest.
func drain(c *h2test.Conn) []string {
	var seen []string
	for {
		_, f, err := c.Next()
		if err != nil {
			return seen
		}
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			seen = append(seen, "RST_STREAM "+f.ErrCode.String())
		case *http2.GoAwayFrame:
			seen = append(seen, "GOAWAY "+f.ErrCode.String())
		}
	}
}

func do(ctx context.Context, cl *h2.Client) (transport.Response, error) {
	var resp transport.Response
	err := cl.Do(ctx, postHeader(), []byte(bodyText), &resp)
	return resp, err
}

// wantKind fails unless err is an transport.Error of that kind.
func wantKind(t *testing.T, err error, want transport.Kind) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want one of kind %v", err, want)
	}
	if e.Kind != want {
		t.Fatalf("kind is %v (%v), want %v", e.Kind, err, want)
	}
}

func wantOK(t *testing.T, resp transport.Response, err error, body string) {
	t.Helper()
	if err != nil || resp.Status != 200 || string(resp.Body) != body {
		t.Fatalf("got %d %q, %v; want 200 %q", resp.Status, resp.Body, err, body)
	}
}

// wantSeen fails unless want is among the frames that a server saw.
func wantSeen(t *testing.T, seen []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, want) }) {
		t.Fatalf("the server saw %q, want %q", seen, want)
	}
}
