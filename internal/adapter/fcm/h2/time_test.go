package h2_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// within fails unless took is at least want and not more than four sweeps above.
func within(t *testing.T, took, want time.Duration) {
	t.Helper()
	if took < want || took > want+400*time.Millisecond {
		t.Errorf("took %v, want %v up to 400ms more", took, want)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Value
		cl := piped(t, h2.Config{Timeout: 15 * time.Second}, func(c *h2test.Conn) {
			_, _ = c.ReadRequest()
			seen.Store(drain(c))
		})
		start := time.Now()
		_, err := do(t.Context(), cl)
		wantKind(t, err, transport.Timeout)
		within(t, time.Since(start), 15*time.Second)
		_ = cl.Close(context.Background())
		synctest.Wait()
		wantSeen(t, seen.Load().([]string), "RST_STREAM CANCEL")
	})
}

// TestTimeoutUnsent withholds the window: a request whose body never left was
// certainly not processed.
func TestTimeoutUnsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cl := piped(t, h2.Config{Timeout: time.Second}, func(c *h2test.Conn) {
			_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			drain(c)
		})
		synctest.Wait()
		_, err := do(t.Context(), cl)
		wantKind(t, err, transport.Refused)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := do(ctx, cl); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*transport.Error)) {
			t.Errorf("error is %v, want ctx's own: nothing was sent", err)
		}
	})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cl := piped(t, h2.Config{MaxStreams: 1}, func(c *h2test.Conn) { drain(c) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := make(chan error, 1)
		go func() { _, err := do(ctx, cl); sent <- err }()
		synctest.Wait()

		// The only place is taken: this one never gets as far as being sent.
		_, err := do(ctx, cl)
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*transport.Error)) {
			t.Errorf("waiting: %v, want ctx's own error", err)
		}
		err = <-sent
		wantKind(t, err, transport.Timeout)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("sent: %v, want ctx's error as the cause", err)
		}
		if _, err := do(ctx, cl); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestNoFreeStream waits for a place in vain.
func TestNoFreeStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cl := piped(t, h2.Config{Timeout: 3 * time.Second}, func(c *h2test.Conn) {
			_ = c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
			drain(c)
		})
		synctest.Wait()
		start := time.Now()
		_, err := do(t.Context(), cl)
		wantKind(t, err, transport.Refused)
		within(t, time.Since(start), 3*time.Second)
	})
}

// TestSilentPeer stops answering at all, as a machine that lost its network.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		busy bool
		want time.Duration
	}{{"busy", true, 15 * time.Second}, {"idle", false, 35 * time.Second}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gone := make(chan time.Time, 1)
				start := time.Now()
				conns := 0
				cl := piped(t, h2.Config{
					Timeout: time.Minute,
					OnConnections: func(n int) {
						if conns++; n == 0 && conns == 2 {
							gone <- time.Now()
						}
					},
				}, func(c *h2test.Conn) {
					for { // swallows everything, pings too
						if _, err := c.ReadFrame(); err != nil {
							return
						}
					}
				})
				if tc.busy {
					_, err := do(t.Context(), cl)
					wantKind(t, err, transport.Reset)
				}
				within(t, (<-gone).Sub(start), tc.want)
			})
		})
	}
}

// TestIdleConnectionLives goes without requests for an hour: pings keep it.
func TestIdleConnectionLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var accepted atomic.Int32
		cl := piped(t, h2.Config{}, func(c *h2test.Conn) {
			accepted.Add(1)
			echo(c)
		})
		time.Sleep(time.Hour)
		resp, err := do(t.Context(), cl)
		wantOK(t, resp, err, bodyText)
		if accepted.Load() != 1 {
			t.Errorf("%d connections in an hour, want 1", accepted.Load())
		}
	})
}

// TestStalledPeer stops reading: what it has not been offered is certainly not
// processed, what it has been offered may be.
func TestStalledPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		cl := piped(t, h2.Config{Timeout: time.Minute}, func(c *h2test.Conn) {
			_, _ = c.ReadFrame() // the acknowledgement of SETTINGS
			<-stop
		})
		synctest.Wait()
		start := time.Now()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := do(t.Context(), cl); first <- err }()
		synctest.Wait()
		go func() { _, err := do(t.Context(), cl); second <- err }()
		wantKind(t, <-first, transport.Reset)
		wantKind(t, <-second, transport.Refused)
		within(t, time.Since(start), 10*time.Second)
	})
}

// TestDialBacksOff counts the attempts against a peer that refuses for an hour,
// with the longest waits that the jitter may choose.
func TestDialBacksOff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		dial func(context.Context, string, string) (net.Conn, error)
	}{
		{"refuses", func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }},
		{"accepts and leaves", func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				c := h2test.NewConn(theirs)
				_ = c.Handshake()
				_, _ = c.ReadFrame()
				_ = c.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
				drain(c)
				_ = c.Close()
			}()
			return ours, nil
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var dials atomic.Int32
				cl, err := h2.New(t.Context(), h2.Config{
					Addr: "pipe:1", Connections: 1,
					Jitter: func(d time.Duration) time.Duration { return d },
					Dial: func(ctx context.Context, n, a string) (net.Conn, error) {
						dials.Add(1)
						return tc.dial(ctx, n, a)
					},
				}, zap.NewNop())
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				_, err = do(t.Context(), cl)
				wantKind(t, err, transport.Refused)
				// 0.1+0.2+…+12.8 s, then one each 12.8 s.
				if n := dials.Load(); n < 280 || n > 300 {
					t.Errorf("%d dials in an hour, want about 287", n)
				}
				_ = cl.Close(context.Background())
			})
		})
	}
}

// TestDialHangs never completes: callers wait for the first verdict only.
func TestDialHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		cl := newClient(t, h2.Config{
			Addr: "pipe:1", Connections: 2, DialTimeout: 10 * time.Second,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				t.Cleanup(func() { _ = theirs.Close() })
				return ours, nil // nobody reads at the other end
			},
		})
		within(t, time.Since(start), 10*time.Second)
		_, err := do(t.Context(), cl)
		wantKind(t, err, transport.Refused)
		within(t, time.Since(start), 10*time.Second)
	})
}
