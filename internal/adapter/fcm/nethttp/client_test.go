package nethttp_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/adapter/fcm/nethttp"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTransport(t *testing.T) {
	t.Parallel()
	// net/http reads a body before it knows that it may write it, and sends before
	// it has the peer's settings.
	transporttest.Run(t, transporttest.Tells{Unwritten: false, Limit: false}, func(t *testing.T,
		o transporttest.Options,
	) transporttest.Client {
		t.Helper()
		cl, err := nethttp.New(nethttp.Config{
			TLS: o.TLS, Secure: o.TLS != nil, Connections: o.Connections, MaxStreams: o.MaxStreams, Timeout: o.Timeout,
			Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, o.Addr)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return cl
	})
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	_, err := nethttp.New(nethttp.Config{Connections: -1, MaxStreams: 1 << 20, Timeout: -time.Second})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"connections", "max streams", "timeout"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %q", err, want)
		}
	}
}
