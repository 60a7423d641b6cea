package telemetry

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/clock"
)

// TestClockWatch: each step is told once, with its size and direction, and time
// that just passes is none.
func TestClockWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var step atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
		core, logs := observer.New(zapcore.InfoLevel)
		reg := prometheus.NewRegistry()
		w := NewClockWatch(now, clock.Start(), reg, zap.New(core))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx)
		time.Sleep(time.Hour)
		for _, by := range []time.Duration{-8 * time.Second, time.Minute, 24 * time.Hour} {
			step.Add(int64(by))
			time.Sleep(time.Minute)
		}
		var got []time.Duration
		for _, e := range logs.All() {
			by, ok := e.ContextMap()["step"].(time.Duration)
			if !ok || e.Level != zapcore.WarnLevel {
				t.Errorf("logged %+v", e)
			}
			got = append(got, by)
		}
		if len(got) != 3 || got[0] != -8*time.Second || got[1] != time.Minute || got[2] != 24*time.Hour {
			t.Errorf("logged %v", got)
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]float64{}
		for _, m := range families[0].GetMetric() {
			counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
		if counts[forward] != 2 || counts[backward] != 1 {
			t.Errorf("counted %v", counts)
		}
		cancel()
		synctest.Wait()
	})
}
