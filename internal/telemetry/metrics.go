package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a fresh registry that already holds the Go runtime's and
// the process's collectors and belfry_build_info, a gauge that is always 1 and
// names the build in its labels. One process has one registry; the rooms
// register their own metrics with it.
func NewRegistry() *prometheus.Registry {
	b := Build()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "belfry_build_info",
		Help: "The running build; always 1.",
		ConstLabels: prometheus.Labels{
			"version":    b.Version,
			"go_version": b.GoVersion,
			"revision":   b.Revision,
		},
	})
	build.Set(1)

	reg := prometheus.NewRegistry()
	// Must: the registry is empty and the three names are constants, so only a
	// programming error could make this fail.
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return reg
}

// Latency returns the options of a histogram of durations in seconds: a native one, whose
// resolution is a tenth everywhere, and classic buckets for whoever scrapes without native
// ones. A bound that an SLO names (docs/slo.md) is among the buckets, since a query can only
// count what is within a bound that exists.
func Latency(name, help string, buckets ...float64) prometheus.HistogramOpts {
	const (
		resolution = 1.1
		most       = 100       // native buckets of a series; beyond that, it gets coarser
		keeps      = time.Hour // then it may begin anew rather than stay coarse
	)
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: resolution, NativeHistogramMaxBucketNumber: most, NativeHistogramMinResetDuration: keeps,
	}
}
