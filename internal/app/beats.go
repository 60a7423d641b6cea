package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// beatEvery is the time between two beats on AWS, where each costs a write and the requests of the readiness checks: some
// cents a day for each process.
const beatEvery = 10 * time.Second

// startBeats begins to tell the others how this process is, as soon as it says what it is ([Service.As]). It stops after
// everything else, so that a process that drains is seen to drain.
func (s *Service) startBeats(ctx context.Context) {
	cfg := status.BeatConfig{Docs: s.Backend.Store, Log: s.Log, Now: s.Now, ID: Owner(), Version: telemetry.Version()}
	if s.Backend.Embedded == nil {
		cfg.Every = beatEvery
	}
	s.beats = status.NewBeats(cfg)
	s.beats.Show(func(ctx context.Context, p *status.Process) {
		r := s.Health.Ready(ctx)
		p.State = string(r.Status)
		for _, c := range r.Checks {
			p.Checks = append(p.Checks, status.Check{
				Name: c.Name, Status: string(c.Status), Since: c.Since, Age: time.Duration(c.AgeSeconds * float64(time.Second)), Reason: c.Error,
			})
		}
		if s.Backend.Disk != nil {
			p.Disk = s.Backend.Disk()
		}
		p.Totals.Ended = total(s.Outcomes, func(map[string]string) bool { return true })
		p.Totals.Sent = total(s.Outcomes, func(l map[string]string) bool { return l["class"] == push.ClassSent.String() })
	})
	const grace = 6 * time.Second // a beat under way, and the last word
	s.Stack.Background(ctx, "status", grace, s.beats.Run)
}

// As says what kind of process this is, once it has started: from then on it is seen.
func (s *Service) As(kind string) { s.beats.As(kind) }

// Show has f fill in a part of what others see of this process.
func (s *Service) Show(f func(ctx context.Context, p *status.Process)) { s.beats.Show(f) }

// ShowAccepted shows what is accepted.
func (s *Service) ShowAccepted(counter prometheus.Collector) {
	s.Show(func(_ context.Context, p *status.Process) {
		p.Totals.Accepted = total(counter, func(map[string]string) bool { return true })
	})
}

// showWorker shows how a queue is consumed.
func (s *Service) showWorker(queue string, places int) {
	gauge := s.workerMetrics.InHand(queue)
	one := status.Worker{Queue: queue, Places: places}
	for _, lane := range push.Lanes() {
		if push.DeliveryQueue(lane) == queue {
			one.Lane = string(lane)
		}
	}
	s.Show(func(_ context.Context, p *status.Process) {
		one := one
		one.InHand = total(gauge, func(map[string]string) bool { return true })
		p.Workers = append(p.Workers, one)
	})
}

// total sums the values of a counter or gauge that have certain labels.
func total(c prometheus.Collector, take func(labels map[string]string) bool) int64 {
	out := make(chan prometheus.Metric)
	go func() {
		defer close(out)
		c.Collect(out)
	}()
	var sum float64
	for m := range out {
		var d dto.Metric
		if m.Write(&d) != nil {
			continue
		}
		labels := map[string]string{}
		for _, l := range d.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if take(labels) {
			sum += d.GetCounter().GetValue() + d.GetGauge().GetValue()
		}
	}
	return int64(sum)
}

// diskOf tells of the disk of a data directory.
func diskOf(b *sqlite.Backend) func() *status.Disk {
	return func() *status.Disk {
		free, size, err := b.Space()
		if err != nil {
			return nil
		}
		return &status.Disk{Free: int64(min(free, 1<<62)), Total: int64(min(size, 1<<62))}
	}
}
