// Package awsmeter counts what Belfry asks of AWS, at the place where each call
// is made: calls by service and operation, and the units that AWS bills for
// them. It knows no prices (those are in a versioned price file elsewhere) and
// makes no calls.
package awsmeter

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Service is an AWS service, as metrics name it.
type Service string

// The services that Belfry calls.
const (
	SQS      Service = "sqs"
	SNS      Service = "sns"
	DynamoDB Service = "dynamodb"
	S3       Service = "s3"
	STS      Service = "sts"
)

// Unit is what a service bills.
type Unit string

// The units of the services. STS bills nothing.
const (
	Requests    Unit = "requests"     // SQS, SNS: see [Requests64K]
	ReadUnits   Unit = "rru"          // DynamoDB: read request units, from ConsumedCapacity
	WriteUnits  Unit = "wru"          // DynamoDB: write request units, from ConsumedCapacity
	PutRequests Unit = "put_requests" // S3: PUT, COPY, POST and LIST
	GetRequests Unit = "get_requests" // S3: GET, HEAD and the rest; DELETE is free
)

// billed lists which units a service has, so that every series exists from the start.
func billed() map[Service][]Unit {
	return map[Service][]Unit{
		SQS:      {Requests},
		SNS:      {Requests},
		DynamoDB: {ReadUnits, WriteUnits},
		S3:       {PutRequests, GetRequests},
	}
}

// Operation is one kind of call.
type Operation struct {
	Service Service
	Name    string // as in AWS's API: SendMessageBatch
}

// Quantity is one kind of unit.
type Quantity struct {
	Service Service
	Unit    Unit
}

// Meter counts calls and units since it was made. A call that AWS refused is
// counted too, with the least that it can cost. The attempts that the SDK makes
// behind one call are counted as one, since most of what it repeats was not
// billed; how often it repeated is counted beside them. A nil
// *Meter counts nothing. Safe for concurrent use.
type Meter struct {
	calls   *prometheus.CounterVec
	units   *prometheus.CounterVec
	retries *prometheus.CounterVec
	took    *prometheus.HistogramVec

	mu   sync.Mutex // 20 ns beside a network call of milliseconds
	seen Snapshot
}

// New returns a meter and registers its counters, belfry_aws_calls_total,
// belfry_aws_units_total, belfry_aws_retries_total and belfry_aws_call_seconds.
func New(reg prometheus.Registerer) *Meter {
	m := &Meter{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_aws_calls_total", Help: "Calls to AWS, by service and operation.",
		}, []string{"service", "op"}),
		units: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_aws_units_total",
			Help: "Units that AWS bills for the calls: requests of 64 KiB, read and write request units, S3 requests.",
		}, []string{"service", "unit"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_aws_retries_total",
			Help: "Attempts that the AWS SDK made again within one call, by service, operation and why the one before failed.",
		}, []string{"service", "op", "reason"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "belfry_aws_call_seconds", Help: "Time that calls to AWS took, with the attempts that the SDK made behind them.",
			Buckets:                     []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"service", "op"}),
		seen: Snapshot{Calls: map[Operation]int64{}, Units: map[Quantity]float64{}},
	}
	for service, units := range billed() {
		for _, u := range units {
			m.units.WithLabelValues(string(service), string(u))
		}
	}
	reg.MustRegister(m.calls, m.units, m.retries, m.took)
	return m
}

// Call counts one call of an operation, named as in AWS's API, and what it is
// billed: n of the unit, not negative.
func (m *Meter) Call(service Service, op string, unit Unit, n float64) {
	if m == nil {
		return
	}
	m.Free(service, op)
	m.Add(service, unit, n)
}

// Free counts one call that costs nothing.
func (m *Meter) Free(service Service, op string) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(string(service), op).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen.Calls[Operation{service, op}]++
}

// Add counts units of a call that was counted already; for calls that are billed
// in several units.
func (m *Meter) Add(service Service, unit Unit, n float64) {
	if m == nil || n <= 0 {
		return
	}
	m.units.WithLabelValues(string(service), string(unit)).Add(n)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen.Units[Quantity{service, unit}] += n
}

// Retry counts an attempt that was made again within one call; reason is why the
// one before failed, from a closed set (awsconf.Kind).
func (m *Meter) Retry(service Service, op, reason string) {
	if m == nil {
		return
	}
	m.retries.WithLabelValues(string(service), op, reason).Inc()
}

// Took notes how long a call took, with all its attempts.
func (m *Meter) Took(service Service, op string, took time.Duration) {
	if m == nil {
		return
	}
	m.took.WithLabelValues(string(service), op).Observe(took.Seconds())
}

// Snapshot returns what was counted so far; the caller owns it.
func (m *Meter) Snapshot() Snapshot {
	if m == nil {
		return Snapshot{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return Snapshot{Calls: maps.Clone(m.seen.Calls), Units: maps.Clone(m.seen.Units)}
}
