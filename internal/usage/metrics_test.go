package usage

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestHostileTenants: ten thousand names that somebody made up do not make the registry grow, and nothing that
// they used is missing.
func TestHostileTenants(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	core, said := observer.New(zapcore.InfoLevel)
	m.round(time.Unix(1, 0), map[string]Sums{"alone": {Requests: 1}}, zap.New(core))
	if said.Len() > 0 {
		t.Errorf("one tenant, and %v is said", said.All())
	}
	const perTenant = 1 + classes // requests, and each class
	for day := range 3 {
		today := map[string]Sums{}
		for i := range 10_000 {
			var s Sums
			s.Requests, s.Recipients = int64(1+i%5), int64(day*i%11)
			s.ByClass[1] = s.Recipients
			today[fmt.Sprintf("t-%d-%d", day, i)] = s
		}
		m.round(time.Unix(1, 0), today, zap.New(core))
		var want, got float64
		series := 0
		for _, s := range today {
			want += float64(s.Requests)
		}
		for name, byTenant := range gathered(t, reg) {
			series += len(byTenant)
			if name == "belfry_tenant_requests_today" {
				for _, n := range byTenant {
					got += n
				}
			}
		}
		if series != (shownTenants+1)*perTenant {
			t.Fatalf("%d series", series)
		}
		if got != want {
			t.Errorf("day %d: %v requests are shown, there were %v", day, got, want)
		}
	}
	if lines := said.All(); len(lines) != 1 || lines[0].ContextMap()["tenants"] != int64(10_000) {
		t.Errorf("it is not said once: %v", lines)
	}
}

// gathered returns the values of what is shown of tenants, by name, and by tenant and class.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "belfry_tenant_") {
			continue
		}
		out[f.GetName()] = map[string]float64{}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			out[f.GetName()][strings.Join(labels, "/")] = m.GetGauge().GetValue()
		}
	}
	return out
}

// TestRoundShowsToday: what tenants used today is shown with their names, and yesterday's is not.
func TestRoundShowsToday(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reg := prometheus.NewPedanticRegistry()
	w.room.cfg.Metrics = NewMetrics(reg)
	value := func(tenant string) float64 { return gathered(t, reg)["belfry_tenant_requests_today"][tenant] }
	w.accept("acme", "", 1)
	w.accept("zoo", "shop", 1)
	w.accept("zoo", "", 1)
	p := newPatience()
	round := func(after time.Duration) {
		t.Helper()
		w.now = w.now.Add(after)
		w.must(w.room.round(context.Background(), p))
	}
	round(time.Minute)
	if value("acme") != 1 || value("zoo") != 2 {
		t.Errorf("acme %v, zoo %v", value("acme"), value("zoo"))
	}
	round(12 * time.Hour)
	w.accept("acme", "", 1)
	round(time.Hour)
	if value("acme") != 1 || value("zoo") != 0 {
		t.Errorf("on the next day: acme %v, zoo %v", value("acme"), value("zoo"))
	}
}
