package connlimit

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen opens a limited listener on a free port and accepts what comes.
func listen(t *testing.T, most int, answer string) (l *Listener, accepted <-chan net.Conn, logs *observer.ObservedLogs) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	l = New(inner, most, answer, zap.New(core))
	conns := make(chan net.Conn, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	})
	return l, conns, logs
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBeyondTheLimit(t *testing.T) {
	t.Parallel()
	l, accepted, logs := listen(t, 2, Busy)
	dial(t, l)
	dial(t, l)
	first, second := <-accepted, <-accepted

	// A client that has sent its request reads the answer all the same.
	third := dial(t, l)
	if _, err := io.WriteString(third, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"+strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(third), nil)
	if err != nil {
		t.Fatal(err)
	}
	var problem struct{ Code string }
	body, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(body, &problem) != nil {
		t.Fatalf("the body is %q, %v", body, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || problem.Code != "unavailable" {
		t.Errorf("answered %d %v %s", resp.StatusCode, resp.Header, body)
	}
	if l.Open() != 2 || l.Refused() != 1 {
		t.Errorf("%d open, %d refused; want 2 and 1", l.Open(), l.Refused())
	}

	// Closing twice counts once; then there is room for one.
	_ = first.Close()
	_ = first.Close()
	if l.Open() != 1 {
		t.Errorf("%d open, want 1", l.Open())
	}
	dial(t, l)
	fourth := <-accepted
	for _, c := range []net.Conn{second, fourth} {
		_ = c.Close()
	}
	if n := len(logs.FilterMessageSnippet("refused").All()); n != 1 {
		t.Errorf("logged %d times that connections are refused, want once", n)
	}
	if n := len(logs.FilterMessageSnippet("again").All()); n != 1 {
		t.Errorf("logged %d times that they are taken again, want once", n)
	}
}

func TestBeyondTheLimitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	l, accepted, _ := listen(t, 1, "")
	dial(t, l)
	defer (<-accepted).Close()
	if n, err := dial(t, l).Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v; want the end", n, err)
	}
}

// However many come at once, no more than the limit are let in, and all others
// hear of it or are closed.
func TestCrowd(t *testing.T) {
	t.Parallel()
	const most, crowd = 5, 100
	l, accepted, _ := listen(t, most, Busy)
	var wg sync.WaitGroup
	for range crowd {
		c := dial(t, l)
		wg.Go(func() {
			// Only who is refused has something to read; the others wait to be closed.
			_, _ = io.Copy(io.Discard, c)
		})
	}
	for range most {
		c := <-accepted
		defer c.Close()
	}
	for l.Refused() < crowd-most {
		<-time.NewTimer(time.Millisecond).C // real sockets: it ends when the last one was refused
	}
	if l.Open() != most || len(accepted) != 0 {
		t.Errorf("%d open, and %d let in beyond the limit", l.Open(), len(accepted))
	}
}

func TestBusyIsWhole(t *testing.T) {
	t.Parallel()
	head, body, _ := strings.Cut(Busy, "\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head+"\r\n\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != int64(len(body)) {
		t.Errorf("Content-Length is %d, the body has %d bytes", resp.ContentLength, len(body))
	}
}
