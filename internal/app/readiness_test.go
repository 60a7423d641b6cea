package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// away is a backend of which some parts are: ledger, pages, topic, or queues by
// their names.
func away(parts ...string) Pulses {
	pulse := func(part string) func(context.Context) error {
		return func(context.Context) error {
			if slices.Contains(parts, part) {
				return errors.New(part + " is away")
			}
			return nil
		}
	}
	return Pulses{
		Ledger: pulse("ledger"), Pages: pulse("pages"), Events: pulse("topic"),
		Queues: func(ctx context.Context, names ...string) error {
			for _, name := range names {
				if err := pulse(name)(ctx); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// What each program needs is what its job needs: an ingest accepts with the
// ledger alone.
func TestReadinessOfEachProgram(t *testing.T) {
	t.Parallel()
	const ok, degraded, failing = telemetry.StatusOK, telemetry.StatusDegraded, telemetry.StatusFailing
	dlq := push.DeadLetterQueue(push.QueueHigh)
	for _, c := range []struct {
		away                                   string
		ingest, fanout, deliver, drain, allOne telemetry.Status
	}{
		{"nothing", ok, ok, ok, ok, ok},
		{"ledger", failing, failing, failing, failing, failing},
		{push.QueueNotifications, degraded, failing, ok, ok, failing},
		{push.QueueBulk, ok, failing, failing, ok, failing},
		{push.QueueEvents, ok, ok, ok, ok, ok},
		{dlq, ok, ok, ok, failing, ok},
		{"pages", degraded, degraded, degraded, ok, degraded},
		{"topic", ok, degraded, degraded, degraded, degraded},
	} {
		t.Run(c.away, func(t *testing.T) {
			t.Parallel()
			for program, p := range map[string]struct {
				start func(*Service) error
				want  telemetry.Status
			}{
				"ingest":  {(*Service).ReadyForIngest, c.ingest},
				"fanout":  {func(s *Service) error { return s.ReadyForDispatch(true) }, c.fanout},
				"deliver": {func(s *Service) error { return s.ReadyForDispatch(false) }, c.deliver},
				"drain":   {(*Service).ReadyForDrain, c.drain},
				"up": {func(s *Service) error {
					return errors.Join(s.ReadyForDispatch(true), s.ReadyForIngest())
				}, c.allOne},
			} {
				s := &Service{Health: telemetry.NewHealth(time.Second), Backend: &Backend{Pulses: away(c.away)}}
				if err := p.start(s); err != nil {
					t.Fatal(err)
				}
				r := s.Health.Ready(t.Context())
				if r.Status != p.want || r.OK() == (p.want == failing) {
					t.Errorf("%s is %s, want %s: %+v", program, r.Status, p.want, r.Checks)
				}
				if p.want != ok && !strings.Contains(r.Text(time.Now()), c.away+" is away") {
					t.Errorf("%s does not say why: %s", program, r.Text(time.Now()))
				}
			}
		})
	}
}

// The embedded backend has no topic for events: nothing asks for one.
func TestReadinessWithoutATopic(t *testing.T) {
	t.Parallel()
	p := away()
	p.Events = nil
	s := &Service{Health: telemetry.NewHealth(time.Second), Backend: &Backend{Pulses: p}}
	if err := s.ReadyForDispatch(false); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Health.Ready(t.Context()).Checks {
		if c.Name == checkEvents {
			t.Errorf("checked %+v", c)
		}
	}
}

// What changes is logged once, and a scrape is a question too.
func TestHealthIsShown(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	reg, h := prometheus.NewRegistry(), telemetry.NewHealth(time.Second)
	if err := errors.Join(watchHealth(h, reg, zap.New(core)), h.Register("ledger", away("ledger").Ledger),
		h.RegisterOptional("pages", away().Pages)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, m := range all[0].GetMetric() {
			got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
		if got["ledger"] != 0 || got["pages"] != 1 || len(got) != 2 {
			t.Errorf("shown %v", got)
		}
	}
	lines := logs.FilterMessage("readiness check fails").All()
	if len(lines) != 1 || lines[0].ContextMap()["reason"] != "ledger is away" {
		t.Errorf("logged %v", lines)
	}
}
