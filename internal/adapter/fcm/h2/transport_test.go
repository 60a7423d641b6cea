package h2_test

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport/transporttest"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Tells{Unwritten: true, Limit: true}, func(t *testing.T, o transporttest.Options) transporttest.Client {
		t.Helper()
		cl, err := h2.New(t.Context(), h2.Config{
			Addr: o.Addr, TLS: o.TLS, Connections: o.Connections, MaxStreams: o.MaxStreams, Timeout: o.Timeout, Backoff: time.Millisecond,
		}, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return cl
	})
}
