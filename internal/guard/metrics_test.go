package guard

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

// gather returns every sample of reg by "name label label".
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				key = append(key, l.GetValue())
			}
			got[strings.Join(key, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		m, err := NewMetrics(reg)
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig("p")
		cfg.Ramp, cfg.BudgetMin = 0, 0
		g, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := &rig{Guard: g}
		check := func(when string, want map[string]float64) {
			t.Helper()
			got := gather(t, reg)
			for key, v := range want {
				if is, ok := got[key]; !ok || is != v {
					t.Errorf("%s: %s is %v (there: %t), want %v", when, key, is, ok, v)
				}
			}
		}
		check("at the start", map[string]float64{
			"belfry_breaker_state p closed":         1,
			"belfry_breaker_state p half_open":      0,
			"belfry_breaker_state p open":           0,
			"belfry_fcm_pace_per_second p":          10_000,
			"belfry_fcm_quota_share_per_second p":   10_000,
			"belfry_fcm_quota_share_stale p":        0,
			"belfry_fcm_retry_budget p":             1000,
			"belfry_fcm_admitted_requests p":        0,
			"belfry_deferrals_total p breaker_open": 0,
			"belfry_deferrals_total p pace":         0,
			"belfry_deferrals_total p retry_budget": 0,
			"belfry_deferrals_total p throttle":     0,
			"belfry_traffic_held p high":            0,
			"belfry_traffic_held p live":            0,
			"belfry_fcm_throttle_per_second p live": 10_000,
		})
		held := b.admit(t, TrafficRetry)
		b.answer(t, 20, push.CodeFCMInternal, 0)
		b.refused(t, TrafficLive, WhyBreakerOpen)
		check("open", map[string]float64{
			"belfry_breaker_state p closed":         0,
			"belfry_breaker_state p open":           1,
			"belfry_fcm_retry_budget p":             999,
			"belfry_fcm_admitted_requests p":        1,
			"belfry_deferrals_total p breaker_open": 1,
			"belfry_traffic_held p high":            0,
			"belfry_traffic_held p live":            1,
			"belfry_traffic_held p replay":          1,
		})
		held.Abandon()
		time.Sleep(cfg.ProbeEvery)
		b.answer(t, 1, push.CodeSent, 0)
		check("a probe did well",
			map[string]float64{"belfry_breaker_state p open": 0, "belfry_breaker_state p half_open": 1, "belfry_traffic_held p live": 1})
		b.answer(t, 10, push.CodeSent, 0)
		check("closed", map[string]float64{
			"belfry_breaker_state p closed": 1, "belfry_traffic_held p live": 0, "belfry_fcm_throttle_per_second p live": 100,
			"belfry_fcm_throttle_per_second p high": 10_000,
		})

		if _, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), m, nil); err == nil {
			t.Error("two guards of one credential")
		}
		g.Close()
		if got := gather(t, reg); len(got) != 0 {
			t.Errorf("after Close: %v", got)
		}
		if _, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), m, nil); err != nil {
			t.Errorf("a new guard after Close: %v", err)
		}
		if _, err := NewMetrics(reg); err == nil {
			t.Error("registered twice")
		}
	})
}

// TestLabelsAreBounded: credentials without end do not make series without end, and nothing is
// left out of the sums.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	const many = 200
	core, said := observer.New(zapcore.InfoLevel)
	var all []*Guard
	for i := range many {
		g, err := New(DefaultConfig(fmt.Sprintf("p-%03d", i)), nil, rand.New(rand.NewPCG(1, 2)), zap.New(core), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == mostLabels-1 && said.Len() > 0 {
			t.Errorf("with %d credentials, and as many labels, %v is said", i+1, said.All())
		}
		all = append(all, g)
	}
	if said.Len() != 1 {
		t.Errorf("it is not said once: %v", said.All())
	}
	labels := func() (closed float64, names map[string]bool) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		names = map[string]bool{}
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				for _, l := range metric.GetLabel() {
					if l.GetName() == "credential" {
						names[l.GetValue()] = true
					}
					if l.GetName() == "state" && l.GetValue() == BreakerClosed.String() {
						closed += metric.GetGauge().GetValue()
					}
				}
			}
		}
		return closed, names
	}
	if closed, names := labels(); closed != many || len(names) != mostLabels+1 || !names[otherLabel] {
		t.Errorf("%v closed breakers under %d labels", closed, len(names))
	}
	for _, g := range all[:many/2] {
		g.Close()
	}
	if closed, names := labels(); closed != many/2 || len(names) != 1 {
		t.Errorf("then %v under %v", closed, names)
	}
}
