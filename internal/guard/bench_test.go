package guard

import (
	"context"
	"testing"

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
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		t, _ := g.Admit(ctx, false)
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
		ctx := context.Background()
		for pb.Next() {
			// A goroutine that lost the processor in mid-call may find that the
			// others used up the pace: its zero ticket costs next to nothing.
			t, _ := g.Admit(ctx, false)
			t.Done(push.CodeSent, 0)
		}
	})
}

// BenchmarkDeferred is what a dispatcher pays per recipient while the breaker is open.
func BenchmarkDeferred(b *testing.B) {
	g := setup(b, nil)
	g.answer(b, 20, push.CodeFCMInternal, 0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for pb.Next() {
			if _, err := g.Admit(ctx, false); err == nil {
				b.Error("admitted through an open breaker")
				return
			}
		}
	})
}
