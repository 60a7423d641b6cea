package awsmeter

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestRequests64K(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		bytes int
		want  float64
	}{
		{"nothing is a request too", 0, 1},
		{"one byte", 1, 1},
		{"just one", 64 << 10, 1},
		{"one byte more", 64<<10 + 1, 2},
		{"SNS's largest", 256 << 10, 4},
		{"SQS's largest", 1 << 20, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := Requests64K(c.bytes); got != c.want {
				t.Errorf("Requests64K(%d) = %v, want %v", c.bytes, got, c.want)
			}
		})
	}
}

func TestMeterCounts(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := New(reg)
	m.Call(SQS, "SendMessageBatch", Requests, 3)
	m.Free(S3, "DeleteObjects")
	before := m.Snapshot()
	m.Call(SQS, "SendMessageBatch", Requests, 1)
	m.Call(DynamoDB, "UpdateItem", WriteUnits, 0.5)
	m.Add(DynamoDB, ReadUnits, 2)
	m.Add(DynamoDB, ReadUnits, 0)

	want := Snapshot{
		Calls: map[Operation]int64{{SQS, "SendMessageBatch"}: 2, {S3, "DeleteObjects"}: 1, {DynamoDB, "UpdateItem"}: 1},
		Units: map[Quantity]float64{{SQS, Requests}: 4, {DynamoDB, WriteUnits}: 0.5, {DynamoDB, ReadUnits}: 2},
	}
	after := m.Snapshot()
	if d := cmp.Diff(want, after); d != "" {
		t.Errorf("Snapshot (-want +got):\n%s", d)
	}
	want = Snapshot{
		Calls: map[Operation]int64{{SQS, "SendMessageBatch"}: 1, {DynamoDB, "UpdateItem"}: 1},
		Units: map[Quantity]float64{{SQS, Requests}: 1, {DynamoDB, WriteUnits}: 0.5, {DynamoDB, ReadUnits}: 2},
	}
	if d := cmp.Diff(want, after.Since(before)); d != "" {
		t.Errorf("Since (-want +got):\n%s", d)
	}
	if got := after.Total(SQS); got != 2 {
		t.Errorf("Total(SQS) = %d, want 2", got)
	}
	wantExposed := map[string]float64{
		"belfry_aws_calls_total{op=DeleteObjects,service=s3}":     1,
		"belfry_aws_calls_total{op=SendMessageBatch,service=sqs}": 2,
		"belfry_aws_calls_total{op=UpdateItem,service=dynamodb}":  1,
		"belfry_aws_units_total{service=dynamodb,unit=rru}":       2,
		"belfry_aws_units_total{service=dynamodb,unit=wru}":       0.5,
		"belfry_aws_units_total{service=s3,unit=get_requests}":    0,
		"belfry_aws_units_total{service=s3,unit=put_requests}":    0,
		"belfry_aws_units_total{service=sns,unit=requests}":       0,
		"belfry_aws_units_total{service=sqs,unit=requests}":       4,
	}
	if d := cmp.Diff(wantExposed, exposed(t, reg)); d != "" {
		t.Errorf("exposed (-want +got):\n%s", d)
	}
}

// exposed returns every counter of a registry by name and labels.
func exposed(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue()
		}
	}
	return values
}

func TestSnapshotIsTheCallers(t *testing.T) {
	t.Parallel()
	m := New(prometheus.NewRegistry())
	m.Snapshot().Calls[Operation{SNS, "PublishBatch"}] = 7
	if got := m.Snapshot().Total(SNS); got != 0 {
		t.Errorf("the meter counts %d calls, none were made", got)
	}
}

func TestNilMeterCountsNothing(t *testing.T) {
	t.Parallel()
	var m *Meter
	m.Call(SQS, "ReceiveMessage", Requests, 1)
	m.Free(STS, "GetCallerIdentity")
	m.Add(SQS, Requests, 1)
	if s := m.Snapshot(); s.Calls != nil || s.Units != nil {
		t.Errorf("Snapshot = %v, want nothing", s)
	}
}

func TestMeterIsConcurrent(t *testing.T) {
	t.Parallel()
	m := New(prometheus.NewRegistry())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m.Call(SQS, "ReceiveMessage", Requests, 2)
			}
		})
	}
	wg.Wait()
	s := m.Snapshot()
	if s.Total(SQS) != 800 || s.Units[Quantity{SQS, Requests}] != 1600 {
		t.Errorf("Snapshot = %v, want 800 calls and 1600 requests", s)
	}
}
