package cost

import (
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// The metrics that are read: what awsmeter and the rooms expose.
const (
	metricUnits    = "belfry_aws_units_total"
	metricOutcomes = "belfry_outcomes_total"
)

// Measured is what a process did since it started.
type Measured struct {
	Units         awsmeter.Snapshot // without calls
	Notifications int64             // that got their outcome
}

// ReadMetrics reads what a process exposes at /metrics, in Prometheus's text
// format
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
// Notifications that another process finished are in that one's metrics: add
// them up.
func ReadMetrics(r io.Reader) (Measured, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return Measured{}, fmt.Errorf("metrics: %w", err)
	}
	m := Measured{Units: awsmeter.Snapshot{Units: map[awsmeter.Quantity]float64{}}}
	for _, x := range families[metricUnits].GetMetric() {
		q := awsmeter.Quantity{Service: awsmeter.Service(label(x, "service")), Unit: awsmeter.Unit(label(x, "unit"))}
		m.Units.Units[q] += value(x)
	}
	for _, x := range families[metricOutcomes].GetMetric() {
		m.Notifications += int64(value(x))
	}
	return m, nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// Plus returns what both did.
func (m Measured) Plus(other Measured) Measured {
	sum := Measured{Units: awsmeter.Snapshot{Units: map[awsmeter.Quantity]float64{}}, Notifications: m.Notifications + other.Notifications}
	for _, part := range []Measured{m, other} {
		for q, n := range part.Units.Units {
			sum.Units.Units[q] += n
		}
	}
	return sum
}

// value is a counter's, whether or not the text says that it is one.
func value(m *dto.Metric) float64 { return m.GetCounter().GetValue() + m.GetUntyped().GetValue() }
