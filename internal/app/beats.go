package app

import (
	"context"
	"math"
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
		p.Totals.ByClass = totals(s.Outcomes, "class")
		for _, n := range p.Totals.ByClass {
			p.Totals.Ended += n
		}
		p.Totals.Sent = p.Totals.ByClass[push.ClassSent.String()]
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
		p.Totals.Accepted = total(counter)
	})
}

// ShowWaits shows how long notifications waited for their first request to FCM.
func (s *Service) ShowWaits(histogram prometheus.Collector) {
	s.Show(func(_ context.Context, p *status.Process) { p.Totals.Waits = waits(histogram) })
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
		one.InHand = total(gauge)
		p.Workers = append(p.Workers, one)
	})
}

// each calls f with the series of a collector.
func each(c prometheus.Collector, f func(*dto.Metric)) {
	out := make(chan prometheus.Metric)
	go func() {
		defer close(out)
		c.Collect(out)
	}()
	for m := range out {
		var d dto.Metric
		if m.Write(&d) == nil {
			f(&d)
		}
	}
}

// totals sums the values of a counter or gauge by what a label of it says, "" if it has none of that name.
func totals(c prometheus.Collector, by string) map[string]int64 {
	sums := map[string]float64{}
	each(c, func(d *dto.Metric) {
		name := ""
		for _, l := range d.GetLabel() {
			if l.GetName() == by {
				name = l.GetValue()
			}
		}
		sums[name] += d.GetCounter().GetValue() + d.GetGauge().GetValue()
	})
	out := make(map[string]int64, len(sums))
	for name, n := range sums {
		out[name] = int64(n)
	}
	return out
}

// total sums the values of a counter or gauge.
func total(c prometheus.Collector) int64 { return totals(c, "")[""] }

// waits reads a histogram of seconds by its classic buckets, whatever its labels.
func waits(c prometheus.Collector) (out []status.Waits) {
	each(c, func(d *dto.Metric) {
		h, from, below := d.GetHistogram(), 0.0, uint64(0)
		for _, b := range h.GetBucket() {
			if n := b.GetCumulativeCount() - below; n > 0 && !math.IsInf(b.GetUpperBound(), 1) {
				out = append(out, status.Waits{From: from, To: b.GetUpperBound(), N: int64(n)}) //nolint:gosec // a count
			}
			from, below = b.GetUpperBound(), b.GetCumulativeCount()
		}
		if n := h.GetSampleCount(); n > below {
			out = append(out, status.Waits{From: from, N: int64(n - below)}) //nolint:gosec // a count
		}
	})
	return out
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
