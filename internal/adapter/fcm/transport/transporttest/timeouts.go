package transporttest

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// testTime ends requests by time and by their callers, before and after the peer
// can have them.
func (s *suite) testTime(t *testing.T) {
	t.Helper()
	const soon = 300 * time.Millisecond
	// Without a window for its body no request gets out as a whole.
	starving := func(t *testing.T, script func(c *h2test.Conn)) string {
		t.Helper()
		return listen(t, func(c *h2test.Conn) {
			if c.Handshake(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) == nil {
				script(c)
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		cl := s.scripted(t, Options{Timeout: soon}, drain)
		_, err := send(t.Context(), cl)
		wantKind(t, err, transport.Timeout)
	})
	t.Run("ctx ends on the way", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
			_, _ = c.ReadRequest()
			cancel()
			drain(c)
		})
		_, err := send(ctx, cl)
		wantKind(t, err, transport.Timeout)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not say why", err)
		}
	})
	t.Run("ctx ended before", func(t *testing.T) {
		t.Parallel()
		cl := s.scripted(t, Options{}, func(c *h2test.Conn) {
			if _, err := c.ReadRequest(); err == nil {
				t.Error("sent after the end")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := send(ctx, cl); !errors.Is(err, context.Canceled) || errors.As(err, new(*transport.Error)) {
			t.Errorf("error is %v, want ctx's own", err)
		}
	})
	t.Run("no free stream", func(t *testing.T) {
		t.Parallel()
		got := make(chan struct{}, 10)
		cl := s.scripted(t, Options{MaxStreams: 1, Timeout: soon}, func(c *h2test.Conn) {
			for {
				if _, err := c.ReadRequest(); err != nil {
					return
				}
				got <- struct{}{}
			}
		})
		first := make(chan error, 1)
		go func() { _, err := send(t.Context(), cl); first <- err }()
		<-got
		ctx, cancel := context.WithTimeout(t.Context(), soon/10)
		defer cancel()
		if _, err := send(ctx, cl); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*transport.Error)) {
			t.Errorf("waiting for a stream: %v, want ctx's own error", err)
		}
		wantKind(t, <-first, transport.Timeout)
	})
	t.Run("the body cannot leave, time-out", func(t *testing.T) {
		t.Parallel()
		cl := s.open(t, Options{Addr: starving(t, drain), Timeout: soon})
		warm(t, cl)
		_, err := send(t.Context(), cl)
		if s.tells.Unwritten {
			wantKind(t, err, transport.Refused)
		} else {
			wantKind(t, err, transport.Timeout)
		}
	})
	t.Run("the body cannot leave, connection lost", func(t *testing.T) {
		t.Parallel()
		cl := s.open(t, Options{Addr: starving(t, func(c *h2test.Conn) {
			for requests := 0; requests < 2; { // the first one warms
				f, err := c.ReadFrame()
				if err != nil {
					return
				}
				switch f := f.(type) {
				case *http2.HeadersFrame:
					requests++
				case *http2.PingFrame:
					_ = c.WritePing(true, f.Data)
				}
			}
		})})
		warm(t, cl)
		_, err := send(t.Context(), cl)
		if s.tells.Unwritten {
			wantKind(t, err, transport.Refused)
			return
		}
		// A client that cannot tell what has left may still know that the connection was lost before it took the body.
		if e, ok := errors.AsType[*transport.Error](err); !ok || e.Kind != transport.Reset && e.Kind != transport.Refused {
			t.Errorf("error is %v, want one of kind reset or refused", err)
		}
	})
}

// warm makes a request that is given up, so that the next one finds a connection
// on which the peer's settings hold: net/http does not wait for them.
func warm(t *testing.T, cl Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _ = send(ctx, cl)
}
