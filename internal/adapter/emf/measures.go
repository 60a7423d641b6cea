package emf

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// CloudWatch's units
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html).
const (
	seconds = "Seconds"
	count   = "Count"
)

// CloudWatch's statistics.
const (
	maximum = "Maximum"
	sum     = "Sum"
)

// families are what a registry has gathered, by name.
type families map[string]*dto.MetricFamily

func byName(gathered []*dto.MetricFamily) families {
	f := families{}
	for _, mf := range gathered {
		f[mf.GetName()] = mf
	}
	return f
}

// value returns what a counter or gauge says of the series that are taken, as each is combined with the next, and whether there
// are any.
func (f families) value(name string, take func(labels map[string]string) bool, combine func(a, b float64) float64) (v float64, known bool) {
	for _, m := range f[name].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if !take(labels) {
			continue
		}
		one := m.GetCounter().GetValue() + m.GetGauge().GetValue() // it is one of them
		if known {
			one = combine(v, one)
		}
		v, known = one, true
	}
	return v, known
}

func (f families) sum(name string, take func(labels map[string]string) bool) (v float64, known bool) {
	return f.value(name, take, func(a, b float64) float64 { return a + b })
}

// handled returns how many messages of a queue this process has handled since it began, and for how long.
func (f families) handled(queue string) (messages uint64, took float64) {
	for _, m := range f["belfry_queue_handle_seconds"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "queue" && l.GetValue() == queue {
				return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
			}
		}
	}
	return 0, 0
}

// labelled takes the series that have one of the values.
func labelled(name string, values ...string) func(map[string]string) bool {
	return func(labels map[string]string) bool { return slices.Contains(values, labels[name]) }
}

// measure is a metric of a whole program.
type measure struct {
	Metric

	// read returns its value now, and whether this program knows it. before is what was gathered the last time.
	read func(now, before families) (float64, bool)
}

func measures() []measure {
	of := func(name, unit, statistic string, read func(now, before families) (float64, bool)) measure {
		return measure{Metric{Name: name, Unit: unit, Dimensions: []string{DimensionInstallation}, Statistic: statistic}, read}
	}
	return []measure{
		of("OldestOpenSeconds", seconds, maximum, oldestOpen),
		of("DeadLetters", count, maximum, deadLetters),
		of("BreakersOpen", count, maximum, breakersOpen),
		of("AcceptErrors", count, sum, acceptErrors),
	}
}

// oldestOpen is the age of the oldest notification that waits for the system: what is paused, deferred or held waits for
// somebody's decision or a quota, for as long as that takes.
func oldestOpen(now, _ families) (float64, bool) {
	if looked, _ := now.sum("belfry_open_last_pass_timestamp_seconds", func(map[string]string) bool { return true }); looked == 0 {
		return 0, false // 0 would say that nothing waits
	}
	return now.value("belfry_open_oldest_age_seconds", labelled("state", "outbox", "sending", "ending"),
		func(a, b float64) float64 { return max(a, b) })
}

// deadLetters are the messages on dead-letter queues, and the letters that the store keeps for an operator, where this program
// looks at them.
func deadLetters(now, _ families) (float64, bool) {
	queued, known := now.sum("belfry_queue_depth", func(labels map[string]string) bool { return strings.HasSuffix(labels["queue"], "-dlq") })
	parked, looks := now.sum("belfry_dead_letters", labelled("state", "parked"))
	return queued + parked, known || looks
}

// breakersOpen is how many credentials have an open breaker in this process.
func breakersOpen(now, _ families) (float64, bool) {
	return now.sum("belfry_breaker_state", labelled("state", "open"))
}

// acceptErrors are the requests to send that were answered with a server error since before, as docs/slo.md counts them.
func acceptErrors(now, before families) (float64, bool) {
	failed := func(labels map[string]string) bool {
		return labels["method"] == "POST" && strings.HasPrefix(labels["status"], "5") &&
			labelled("route", "/v1/notifications", "/v1/batches", "/v1/events")(labels)
	}
	v, known := now.sum("belfry_http_requests_total", failed)
	was, _ := before.sum("belfry_http_requests_total", failed)
	return max(0, v-was), known
}

// backlog is how long the tasks that run now need for what lies ready on a queue: messages ÷ tasks × the time that a message
// takes ÷ the messages that a task has in hand at once. What is delayed is not in it: behind an open breaker more tasks do
// nothing.
func backlog() Metric {
	return Metric{
		Name: "BacklogSecondsPerTask", Unit: seconds, Dimensions: []string{DimensionInstallation, DimensionQueue}, Statistic: maximum,
	}
}

// backlogOf returns the backlog of a queue. mean is how long a message took in this task lately, 0 if none was handled
// yet; places are the messages that all tasks together have in hand at once.
func backlogOf(now families, queue string, mean float64, places int) (float64, bool) {
	ready, known := now.sum("belfry_queue_depth", func(l map[string]string) bool { return l["queue"] == queue && l["state"] == "visible" })
	switch {
	case !known || places <= 0:
		return 0, false
	case ready == 0:
		return 0, true
	}
	return ready * mean / float64(places), mean > 0
}
