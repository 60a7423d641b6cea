package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/cost"
)

// depthGauges shows how full every queue is, read when Prometheus asks, at most
// once every few seconds.
type depthGauges struct {
	queues map[string]Queue
	log    *zap.Logger

	depth *prometheus.Desc
	age   *prometheus.Desc
}

func newDepthGauges(queues map[string]Queue, log *zap.Logger) *depthGauges {
	return &depthGauges{
		queues: queues, log: log,
		depth: prometheus.NewDesc("belfry_queue_depth",
			"Messages on the queue, by state: what is delayed or in flight waits too.", []string{"queue", "state"}, nil),
		age: prometheus.NewDesc("belfry_queue_oldest_age_seconds",
			"Age of the oldest visible message; absent while it is not known: on SQS, and while all that waits is delayed or in flight.",
			[]string{"queue"}, nil),
	}
}

// registerDisk shows how full the disk of a data directory is. Where the system does not tell, there are no such metrics.
func registerDisk(reg prometheus.Registerer, dir string) error {
	if _, _, err := sqlite.DiskSpace(dir); err != nil {
		return nil //nolint:nilerr // not to be had here
	}
	gauge := func(name, help string, of func(free, size uint64) uint64) error {
		return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			free, size, err := sqlite.DiskSpace(dir)
			if err != nil {
				return 0
			}
			return float64(of(free, size))
		}))
	}
	return errors.Join(
		gauge("belfry_disk_free_bytes", "What is free on the disk of the data directory.", func(free, _ uint64) uint64 { return free }),
		gauge("belfry_disk_size_bytes", "The size of the disk of the data directory.", func(_, size uint64) uint64 { return size }),
	)
}

// registerCost shows what the calls of this process to AWS cost by the price list that it came with.
func registerCost(reg prometheus.Registerer, meter *awsmeter.Meter) error {
	prices, err := cost.List()
	if err != nil {
		return err
	}
	return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "belfry_aws_cost_dollars_total",
		Help: "What the calls of this process to AWS cost, by the price list that this version came with; storage and transfer are not in it.",
	}, func() float64 { return prices.Estimate(meter.Snapshot()).USD }))
}

// Describe implements prometheus.Collector.
func (g *depthGauges) Describe(out chan<- *prometheus.Desc) {
	out <- g.depth
	out <- g.age
}

// Collect implements prometheus.Collector. A queue that can't be asked is left
// out of this scrape.
func (g *depthGauges) Collect(out chan<- prometheus.Metric) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, q := range g.queues {
		d, err := q.Depth(ctx)
		if err != nil {
			g.log.Warn("queue depth unknown", zap.String("queue", name), zap.Error(err))
			continue
		}
		for state, n := range map[string]int64{"visible": d.Visible, "in_flight": d.InFlight, "delayed": d.Delayed} {
			out <- prometheus.MustNewConstMetric(g.depth, prometheus.GaugeValue, float64(n), name, state)
		}
		if d.OldestAge == 0 && d.Visible+d.InFlight+d.Delayed > 0 {
			continue // 0 would say that nothing waits
		}
		out <- prometheus.MustNewConstMetric(g.age, prometheus.GaugeValue, d.OldestAge.Seconds(), name)
	}
}
