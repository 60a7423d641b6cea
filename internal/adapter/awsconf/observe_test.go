package awsconf

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// failing answers the first calls with errors and then well enough.
func failing(t *testing.T, bad ...answer) aws.Config {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a := answer{200, map[string]string{"Content-Type": "application/x-amz-json-1.0"}, `{"QueueUrl":"http://queue"}`}
		if i := int(n.Add(1)); i <= len(bad) {
			a = bad[i-1]
		}
		if a.status == 0 { // hangs up
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(server.Close)
	cfg := testConfig(server.URL, server.Client())
	cfg.RetryMaxAttempts = MaxAttempts
	return cfg
}

// retried is what a registry counts of belfry_aws_retries_total.
func retried(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]float64
	for _, f := range families {
		if f.GetName() != "belfry_aws_retries_total" {
			continue
		}
		all = map[string]float64{}
		for _, m := range f.GetMetric() {
			var labels []string // sorted by name: op, reason, service
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return all
}

// What the SDK tries again is counted by service, operation and why, also when
// the call fails in the end; what is not tried again is not.
func TestRetriesAreMetered(t *testing.T) {
	t.Parallel()
	json := map[string]string{"Content-Type": "application/x-amz-json-1.0"}
	throttled := answer{400, json, `{"__type":"com.amazonaws.sqs#RequestThrottled"}`}
	away := answer{503, json, `{}`}
	for _, c := range []struct {
		name  string
		bad   []answer
		call  func(context.Context, aws.Config) error
		want  map[string]float64
		fails bool
	}{
		{"none", nil, callSQS, nil, false},
		{
			"throttled, then away, then well",
			[]answer{throttled, away},
			callSQS,
			map[string]float64{"GetQueueUrl throttled sqs": 1, "GetQueueUrl unavailable sqs": 1},
			false,
		},
		{"for good", []answer{away, away, away}, callDynamoDB, map[string]float64{"DescribeTable unavailable dynamodb": 2}, true},
		{"hung up", []answer{{}}, callSQS, map[string]float64{"GetQueueUrl unreachable sqs": 1}, false},
		{"refused", []answer{{400, json, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}`}}, callSQS, nil, true},
		{"another service", []answer{{503, nil, ""}}, headS3, map[string]float64{"HeadBucket unavailable s3": 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			reg := prometheus.NewRegistry()
			err := c.call(t.Context(), Observe(failing(t, c.bad...), zap.NewNop(), awsmeter.New(reg)))
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			if d := cmp.Diff(c.want, retried(t, reg)); d != "" {
				t.Errorf("retries by operation, reason and service (-want +got):\n%s", d)
			}
		})
	}
}

// The SDK's lines arrive in our log at their level; those about retries only at
// debug.
func TestSDKLinesGoThroughZap(t *testing.T) {
	t.Parallel()
	type entry struct{ Level, Name, Line string }
	said := func(level zapcore.Level, do func(cfg aws.Config)) []entry {
		core, logs := observer.New(level)
		do(Observe(failing(t, answer{503, nil, ""}), zap.New(core), nil))
		var all []entry
		for _, l := range logs.All() {
			line, _ := l.ContextMap()["line"].(string)
			all = append(all, entry{l.Level.String(), l.LoggerName, line})
		}
		return all
	}
	got := said(zapcore.InfoLevel, func(cfg aws.Config) {
		cfg.Logger.Logf(logging.Warn, "response has no %s\n", "checksum")
		cfg.Logger.Logf(logging.Debug, "not this")
		cfg.Logger.Logf("NEWS", "100%")
		if err := callSQS(t.Context(), cfg); err != nil {
			t.Error(err)
		}
	})
	if d := cmp.Diff([]entry{{"warn", "aws", "response has no checksum"}, {"info", "aws", "100%!(NOVERB)"}}, got); d != "" {
		t.Errorf("at info (-want +got):\n%s", d)
	}
	got = said(zapcore.DebugLevel, func(cfg aws.Config) {
		if err := callSQS(t.Context(), cfg); err != nil {
			t.Error(err)
		}
	})
	if d := cmp.Diff([]entry{{"debug", "aws", "retrying request SQS/GetQueueUrl, attempt 2"}}, got); d != "" {
		t.Errorf("at debug (-want +got):\n%s", d)
	}
}
