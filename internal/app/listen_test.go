package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// TestListenIsWaitedFor: when the stack has unwound, the server has ended and its
// address is free.
func TestListenIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := &Service{Log: zap.NewNop(), Reg: prometheus.NewRegistry(), Stack: NewStack(zap.NewNop()), failed: make(chan error, 1)}
	addr, err := s.Listen(t.Context(), "test", "127.0.0.1:0", config.Listeners{}, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stack.Unwind(t.Context()); err != nil {
		t.Error(err)
	}
	again, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatalf("the address is still taken: %v", err)
	}
	_ = again.Close()
	select {
	case err := <-s.failed:
		t.Errorf("a server that was stopped has failed: %v", err)
	default:
	}
}

// TestStopServerSaysWhatItCutOff: a request that does not end in time is cut off,
// and the error says so.
func TestStopServerSaysWhatItCutOff(t *testing.T) {
	t.Parallel()
	here, served := make(chan struct{}), make(chan struct{})
	srv := door.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(here)
		<-r.Context().Done()
	}), zap.NewNop())
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(served)
		_ = srv.Serve(ln)
	}()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-here
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := stopServer(ctx, srv, served); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that requests were cut off", err)
	}
	select {
	case <-served:
	default:
		t.Error("Serve has not returned")
	}
}
