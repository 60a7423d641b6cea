package sendapi

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestLatencyIsLogNormalAndRepeats(t *testing.T) {
	t.Parallel()
	const n = 20_001
	draw := func(seed uint64) []time.Duration {
		d := delay{random: &randomSource{seed: seed}}
		d.set(Latency{Median: 50 * time.Millisecond, Sigma: 0.3})
		out := make([]time.Duration, n)
		for i := range out {
			out[i] = d.draw()
		}
		return out
	}
	a := draw(1)
	if !slices.Equal(a, draw(1)) || slices.Equal(a, draw(2)) {
		t.Error("the seed does not decide")
	}
	slices.Sort(a)
	// e^(0.3·2.326) is 2.01, so the 99th percentile is about 100 ms.
	if median, p99 := a[n/2], a[n*99/100]; median < 49*time.Millisecond || median > 51*time.Millisecond ||
		p99 < 95*time.Millisecond || p99 > 106*time.Millisecond {
		t.Errorf("median %v, 99th percentile %v", median, p99)
	}
}

func TestLatencyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := delay{random: &randomSource{}}
		d.set(Latency{Median: time.Minute})
		start := time.Now()
		if !d.wait(t.Context()) || time.Since(start) != time.Minute {
			t.Errorf("waited %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d.wait(ctx) {
			t.Error("did not notice that the client went away")
		}
		d.set(Latency{})
		start = time.Now()
		if !d.wait(t.Context()) || time.Since(start) != 0 {
			t.Error("waited for nothing")
		}
	})
}
