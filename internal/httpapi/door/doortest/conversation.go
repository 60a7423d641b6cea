package doortest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Conversation is one connection with a server, on which the test writes what it
// likes.
type Conversation struct {
	net.Conn

	In *bufio.Reader
}

// Converse serves the door on a loopback port and connects to it. Both end with the
// test.
func (c *Caller) Converse(tb testing.TB) Conversation {
	tb.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = door.NewServer(c, zap.NewNop())
	srv.Start()
	tb.Cleanup(srv.Close)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return Conversation{conn, bufio.NewReader(conn)}
}

// Answered reads the next answer.
func (c Conversation) Answered(tb testing.TB) (int, string) {
	tb.Helper()
	resp, err := http.ReadResponse(c.In, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
