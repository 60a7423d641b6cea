package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
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
		depth: prometheus.NewDesc("belfry_queue_depth", "Messages on the queue, by state.", []string{"queue", "state"}, nil),
		age:   prometheus.NewDesc("belfry_queue_oldest_age_seconds", "Age of the oldest visible message.", []string{"queue"}, nil),
	}
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
		out <- prometheus.MustNewConstMetric(g.age, prometheus.GaugeValue, d.OldestAge.Seconds(), name)
	}
}
