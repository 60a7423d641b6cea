package emf

import (
	"encoding/json"
	"time"
)

// Namespace is where the metrics are in CloudWatch.
const Namespace = "Belfry"

// The dimensions. Each combination of values is a metric that AWS bills, so only closed sets are among them, and no task.
const (
	DimensionInstallation = "Installation" // the prefix of its resources
	DimensionQueue        = "Queue"        // as in the metrics' label: deliveries-high
)

// Metric is one metric as CloudWatch knows it.
type Metric struct {
	Name string
	Unit string // one of CloudWatch's
	// Dimensions are the names of its dimensions.
	Dimensions []string
	// Statistic is what an alarm takes: Maximum of what all tasks tell alike, or each for itself; Sum of what each has counted.
	Statistic string
}

// Metrics are all metrics that any program writes.
func Metrics() []Metric {
	all := []Metric{backlog()}
	for _, m := range measures() {
		all = append(all, m.Metric)
	}
	return all
}

// directive says which members of a document are metrics.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit string
}

// document is what a line says: values of metrics that share their dimensions.
type document struct {
	at      time.Time
	about   map[string]string // values of dimensions, and what else helps whoever finds the line in the log
	metrics []Metric          // one or more, of the same dimensions
	values  []float64         // of each
}

// line returns the document as one line, with its newline.
func (d document) line() ([]byte, error) {
	of := directive{Namespace: Namespace, Dimensions: [][]string{d.metrics[0].Dimensions}}
	root := map[string]any{}
	for name, value := range d.about {
		root[name] = value
	}
	for i, m := range d.metrics {
		of.Metrics = append(of.Metrics, definition{m.Name, m.Unit})
		root[m.Name] = d.values[i]
	}
	root["_aws"] = map[string]any{"Timestamp": d.at.UnixMilli(), "CloudWatchMetrics": []directive{of}}
	text, err := json.Marshal(root)
	return append(text, '\n'), err
}
