package otlp

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

func TestRead(t *testing.T) {
	t.Parallel()
	const endpoint, specific = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	on := Settings{On: true, Endpoint: "http://localhost:4318/v1/traces", Header: http.Header{}, Timeout: 10 * time.Second, Queue: 2048}
	with := func(change func(*Settings)) Settings {
		s := on
		change(&s)
		return s
	}
	tests := []struct {
		name    string
		env     []string
		want    Settings
		sampler string
	}{
		{"nothing is set", nil, Settings{}, ""},
		{"exporter", []string{"OTEL_TRACES_EXPORTER", "otlp"}, on, "ParentBased{root:AlwaysOnSampler"},
		{"no exporter", []string{"OTEL_TRACES_EXPORTER", "none", endpoint, "http://x"}, Settings{}, ""},
		{"disabled", []string{"OTEL_SDK_DISABLED", "TRUE", endpoint, "http://x"}, Settings{}, ""},
		{"endpoint", []string{endpoint, "https://x:1/a/"}, with(func(s *Settings) { s.Endpoint = "https://x:1/a/v1/traces" }), "ParentBased"},
		{
			"endpoint of traces as it is",
			[]string{specific, "http://x/in", endpoint, "http://y"},
			with(func(s *Settings) { s.Endpoint = "http://x/in" }), "ParentBased",
		},
		{
			"everything",
			[]string{
				endpoint, "http://x", "OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=y=z", "OTEL_EXPORTER_OTLP_TIMEOUT", "500",
				"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "OTEL_BSP_MAX_QUEUE_SIZE", "7",
				"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.01",
				"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "c", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "k",
			},
			Settings{
				On: true, Endpoint: "http://x/v1/traces", Header: http.Header{"Api-Key": {"a b"}, "X": {"y=z"}}, Timeout: 500 * time.Millisecond,
				Gzip: true, CAFile: "ca", CertFile: "c", KeyFile: "k", Queue: 7,
			},
			"ParentBased{root:TraceIDRatioBased{0.01}",
		},
		{"always", []string{endpoint, "http://localhost:4318", "OTEL_TRACES_SAMPLER", "always_on"}, on, "AlwaysOnSampler"},
		{"never", []string{endpoint, "http://localhost:4318", "OTEL_TRACES_SAMPLER", "always_off"}, on, "AlwaysOffSampler"},
		{"ratio", []string{endpoint, "http://localhost:4318", "OTEL_TRACES_SAMPLER", "traceidratio"}, on, "TraceIDRatioBased{1}"},
		{
			"callers",
			[]string{endpoint, "http://localhost:4318", "OTEL_TRACES_SAMPLER", "parentbased_always_off"},
			on,
			"ParentBased{root:AlwaysOff",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Read(env(tt.env...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Settings{}, "Sampler")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.On && !strings.HasPrefix(got.Sampler.Description(), tt.sampler) {
				t.Errorf("sampler %s", got.Sampler.Description())
			}
		})
	}
}

// TestReadFaults: everything that is wrong is said at once, and no secret with it.
func TestReadFaults(t *testing.T) {
	t.Parallel()
	_, err := Read(env("OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", "secret.example:4318",
		"OTEL_EXPORTER_OTLP_HEADERS", "secret",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "OTEL_EXPORTER_OTLP_TIMEOUT", "-1",
		"OTEL_BSP_MAX_QUEUE_SIZE", "many", "OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"))
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for _, name := range []string{"_ENDPOINT", "_HEADERS", "_PROTOCOL", "_COMPRESSION", "_TIMEOUT", "_QUEUE_SIZE", "_SAMPLER_ARG"} {
		if !strings.Contains(text, name) {
			t.Errorf("nothing of %s in\n%s", name, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Errorf("a secret in\n%s", text)
	}
	for _, pair := range [][]string{{"OTEL_TRACES_EXPORTER", "jaeger"}, {"OTEL_TRACES_EXPORTER", "otlp", "OTEL_TRACES_SAMPLER", "some"}} {
		if _, err := Read(env(pair...)); err == nil {
			t.Errorf("%v is taken", pair)
		}
	}
}
