//go:build unix

package app

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// TestSupervisor stands in systemd's place: it is told when the service takes work, that it lives, also while it drains, and
// when it stops.
func TestSupervisor(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	socket := filepath.Join(dir, "notify")
	listen, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listen.Close() }()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt((100*time.Millisecond).Microseconds(), 10))
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	said := func() string {
		const patience = 20 * time.Second
		if err := listen.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, _, err := listen.ReadFrom(b)
		if err != nil {
			t.Fatalf("the supervisor hears nothing: %v", err)
		}
		return string(b[:n])
	}

	s := &Service{
		Log: zap.NewNop(), Health: telemetry.NewHealth(time.Second), Stack: NewStack(zap.NewNop()), failed: make(chan error, 1),
	}
	drained := make(chan struct{})
	s.Stack.OnStop("what is under way", time.Minute, func(ctx context.Context) error { return WaitFor(ctx, drained) })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	const ready, alive, stopping = "READY=1", "WATCHDOG=1", "STOPPING=1"
	want := func(states ...string) {
		t.Helper()
		for _, state := range states {
			if got := said(); got != state {
				t.Fatalf("it is told %s, want %s of %v", got, state, states)
			}
		}
	}
	want(ready, alive, alive)
	stop()
	const underWay = 3 // beats before it has noticed
	for n, got := 0, said(); got != stopping; n, got = n+1, said() {
		if got != alive || n > underWay {
			t.Fatalf("it is told %s, want %s", got, stopping)
		}
	}
	want(alive, alive)
	close(drained)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := listen.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var after []string
	for b := make([]byte, 100); ; {
		n, _, err := listen.ReadFrom(b)
		if err != nil {
			break
		}
		after = append(after, string(b[:n]))
	}
	if beats := len(after); beats > 1 || slices.Contains(after, ready) {
		t.Errorf("after its end it is told %v", after)
	}
}
