package deliver_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// silent is a sender that costs as little as possible.
type silent struct{ latency time.Duration }

func (s silent) Send(context.Context, []byte) (string, error) {
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	return "projects/p/messages/0:1500415314455276%31bd1c9631bd1c96", nil
}

// BenchmarkDeliver is the room's own share of a send, from the queue's bytes to
// the closed line: everything but the sender, the ledger and the queue.
func BenchmarkDeliver(b *testing.B) {
	for _, c := range []struct {
		name    string
		latency time.Duration
		n       int
	}{{"350 at 0 ms", 0, 350}, {"350 at 50 ms", 50 * time.Millisecond, 350}, {"1 at 0 ms", 0, 1}} {
		b.Run(c.name, func(b *testing.B) {
			var body []byte
			r := setup(b, c.n, func(r *rig) {
				for i := range r.chunk.Recipients {
					r.chunk.Recipients[i].Address.Value = push.Token(strings.Repeat("x", 158) + name(i))
				}
				r.cfg.Window = 100
				r.cfg.Notifications, r.cfg.Lines, r.cfg.Sender = r.ledger, r.ledger, silent{c.latency}
				r.cfg.Outcomes = deliver.Outcomes(nothing{})
				body = r.encode(r.chunk)
			})
			defer r.Close()
			fresh, head := r.line(), r.head()
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				r.ledger.PutLine(fresh)
				r.ledger.PutNotification(head)
				r.ledger.PutAttempts(fresh.Ref, nil)
				if v := r.Handle(b.Context(), messageOf(body), nil); v.String() != "ack" {
					b.Fatal(v)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/float64(c.n), "cpu-ns/notification")
			if l := r.line(); l.State != ledger.StateClosed {
				b.Fatalf("line is %s", l.State)
			}
		})
	}
}

// cpu returns the processor time that this process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type nothing struct{}

func (nothing) Settled(context.Context, *push.Notification, *ledger.Line, []push.DeviceNote) {}

func (nothing) Completed(context.Context, push.Notification, ledger.Counts)   {}
func (nothing) Held(context.Context, push.Notification, push.Part, push.Hold) {}
