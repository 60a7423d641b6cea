package guard

import (
	"context"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// unpaced is a guard that is as fast as the machine, which is faster than any
// pace that can be configured.
func unpaced(b *testing.B) *rig {
	b.Helper()
	g := setup(b, func(c *Config) { c.MaxPaceWait = 0 })
	g.pacer.full, g.pacer.limit = 1e9, 1e9
	return g
}

// BenchmarkAdmitDone is what one request costs when no other is asking.
func BenchmarkAdmitDone(b *testing.B) {
	g := unpaced(b)
	ctx, ask := context.Background(), Ask{Traffic: TrafficLive, To: recipient(1)}
	b.ReportAllocs()
	for b.Loop() {
		t, _ := g.Admit(ctx, ask)
		t.Done(push.CodeSent, 0)
	}
}

// BenchmarkAdmitDoneParallel is 250 goroutines per processor that do nothing
// else, a hundred times the rate of a real dispatcher: the locks at their worst.
func BenchmarkAdmitDoneParallel(b *testing.B) {
	g := unpaced(b)
	b.SetParallelism(250)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, ask := context.Background(), Ask{Traffic: TrafficLive, To: recipient(1)}
		for pb.Next() {
			// A goroutine that lost the processor in mid-call may find that the
			// others used up the pace: its zero ticket costs next to nothing.
			t, _ := g.Admit(ctx, ask)
			t.Done(push.CodeSent, 0)
		}
	})
}

// BenchmarkAdmitDonePartly is the same while two fifths of the answers are sick.
func BenchmarkAdmitDonePartly(b *testing.B) {
	g := unpaced(b)
	ctx, ask := context.Background(), Ask{Traffic: TrafficLive}
	var to [1000]push.Address
	for i := range to {
		to[i] = recipient(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ask.To = to[i%len(to)]
		t, _ := g.Admit(ctx, ask)
		code := push.CodeSent
		if i%5 < 2 {
			code = push.CodeFCMUnavailable
		}
		t.Done(code, 0)
	}
}

// BenchmarkDeferred is what a dispatcher pays per recipient while the breaker is open.
func BenchmarkDeferred(b *testing.B) {
	g := setup(b, func(c *Config) { c.ProbeEvery, c.ProbeMax = time.Hour, time.Hour })
	g.answer(b, 20, push.CodeFCMInternal, 0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, ask := context.Background(), Ask{Traffic: TrafficLive, To: recipient(1)}
		for pb.Next() {
			if _, err := g.Admit(ctx, ask); err == nil {
				b.Error("admitted through an open breaker")
				return
			}
		}
	})
}
