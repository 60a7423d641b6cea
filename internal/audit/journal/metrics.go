package journal

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/audit"
)

// Metrics count what is recorded.
type Metrics struct {
	entries, blocks, errors, conflicts, lost, shrunk, untrimmed prometheus.Counter
}

// NewMetrics registers the journal's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	return &Metrics{
		entries: counter("belfry_audit_entries_total", "Entries written to the audit log."),
		blocks:  counter("belfry_audit_blocks_total", "Writes of the audit log, each of one or more entries."),
		errors: counter("belfry_audit_errors_total",
			"Writes of the audit log that failed; meanwhile calls that change something are refused."),
		conflicts: counter("belfry_audit_conflicts_total", "Writes of the audit log that another process came before; they are made again."),
		lost: counter("belfry_audit_lost_total",
			"Entries that could not be recorded: of refused calls while too many waited, and of a process that stopped."),
		shrunk:    counter("belfry_audit_shrunk_total", "Times the audit log was found to end before what this process had written."),
		untrimmed: counter("belfry_audit_untrimmed_total", "Times that entries past their retention were kept because they did not verify."),
	}
}

func (m *Metrics) count(b *audit.Block) {
	m.entries.Add(float64(len(b.Lines)))
	m.blocks.Inc()
}
