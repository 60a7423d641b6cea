package db

import (
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// newTook returns the histogram of a file's writes, which no registry has yet.
func newTook(path string) prometheus.Histogram {
	o := telemetry.Latency("belfry_sqlite_write_seconds",
		"Time that a write to a file of the data directory took until it was durable, or failed; the wait for others is in it.",
		.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10)
	o.ConstLabels = prometheus.Labels{"file": strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}
	return prometheus.NewHistogram(o)
}

// Writes is the histogram of how long the writes of this process to the file took, from the call to the answer; of one that its
// caller gave up while it waited, until then. It counts whether anybody collects it or not.
func (d *DB) Writes() prometheus.Collector { return d.writer.took }
