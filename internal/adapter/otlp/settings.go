package otlp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Settings are what the standard variables of OpenTelemetry say
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/). The SDK itself reads
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_* and the limits of spans.
type Settings struct {
	On       bool
	Endpoint string // of traces, a URL
	Header   http.Header
	Timeout  time.Duration // of one request
	Gzip     bool
	CAFile   string // "" for the system's
	CertFile string // of the client
	KeyFile  string
	Sampler  sdk.Sampler
	Queue    int // spans that may wait
}

// The defaults of the specification.
const (
	defaultEndpoint = "http://localhost:4318"
	defaultTimeout  = 10 * time.Second
	tracesPath      = "v1/traces"
)

// Read reads the settings; get is os.Getenv. Traces are off unless OTEL_TRACES_EXPORTER is
// otlp, or it is not set and there is an endpoint. The error says everything that is wrong.
func Read(get func(string) string) (Settings, error) {
	r := reader{get: get}
	s := Settings{
		Timeout: r.millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"), Queue: sdk.DefaultMaxQueueSize,
		CAFile:   r.either("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
		CertFile: r.either("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
		KeyFile:  r.either("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
	}
	if s.On = r.on(); !s.On {
		return Settings{}, errors.Join(r.faults...)
	}
	s.Endpoint, s.Header, s.Gzip, s.Sampler = r.endpoint(), r.headers(), r.gzip(), r.sampler()
	if text := r.either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); text != "" && text != "http/protobuf" {
		r.fault("OTEL_EXPORTER_OTLP_PROTOCOL", "must be http/protobuf, the only one that this program has", text)
	}
	if text := get("OTEL_BSP_MAX_QUEUE_SIZE"); text != "" {
		n, err := strconv.Atoi(text)
		const most = 1 << 20
		if err != nil || n < 1 || n > most {
			r.fault("OTEL_BSP_MAX_QUEUE_SIZE", "must be 1..1048576", text)
		}
		s.Queue = n
	}
	return s, errors.Join(r.faults...)
}

// Shown is the endpoint without what may be secret in it.
func (s *Settings) Shown() string {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}

type reader struct {
	get    func(string) string
	faults []error
}

func (r *reader) fault(name, must, got string) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s (got %q)", name, must, got))
}

// either returns the more specific variable, or else the other.
func (r *reader) either(specific, general string) string {
	if v := r.get(specific); v != "" {
		return v
	}
	return r.get(general)
}

func (r *reader) on() bool {
	if strings.EqualFold(r.get("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	switch text := r.get("OTEL_TRACES_EXPORTER"); text {
	case "":
		return r.either("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	case "none":
		return false
	case "otlp":
		return true
	default:
		r.fault("OTEL_TRACES_EXPORTER", "must be otlp or none", text)
		return false
	}
}

// endpoint returns the URL of traces: the one for traces as it is, the general one with the
// path of traces behind it.
func (r *reader) endpoint() string {
	name, text := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", r.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	general := text == ""
	if general {
		name, text = "OTEL_EXPORTER_OTLP_ENDPOINT", r.get("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if text == "" {
		text = defaultEndpoint
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		r.faults = append(r.faults, fmt.Errorf("%s: must be a URL that begins with http:// or https://", name)) // it may hold a password
		return ""
	}
	if general {
		u = u.JoinPath(tracesPath)
	}
	return u.String()
}

// headers reads key1=value1,key2=value2, with values that are URL-encoded. They are
// credentials, so no fault repeats them.
func (r *reader) headers() http.Header {
	const name = "OTEL_EXPORTER_OTLP_HEADERS"
	h := http.Header{}
	for pair := range strings.SplitSeq(r.either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", name), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		text, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			r.faults = append(r.faults, fmt.Errorf("%s: must be name=value, name=value; values are URL-encoded", name))
			return nil
		}
		h.Set(key, text)
	}
	return h
}

func (r *reader) gzip() bool {
	switch text := r.either("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"); text {
	case "", "none":
	case "gzip":
		return true
	default:
		r.fault("OTEL_EXPORTER_OTLP_COMPRESSION", "must be gzip or none", text)
	}
	return false
}

func (r *reader) millis(specific, general string) time.Duration {
	text := r.either(specific, general)
	if text == "" {
		return defaultTimeout
	}
	const most = 600_000
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		r.fault(general, "must be 1..600000 milliseconds", text)
	}
	return time.Duration(n) * time.Millisecond
}

func (r *reader) sampler() sdk.Sampler {
	switch text := r.get("OTEL_TRACES_SAMPLER"); text {
	case "", "parentbased_always_on":
		return sdk.ParentBased(sdk.AlwaysSample())
	case "always_on":
		return sdk.AlwaysSample()
	case "always_off":
		return sdk.NeverSample()
	case "traceidratio":
		return sdk.TraceIDRatioBased(r.ratio())
	case "parentbased_always_off":
		return sdk.ParentBased(sdk.NeverSample())
	case "parentbased_traceidratio":
		return sdk.ParentBased(sdk.TraceIDRatioBased(r.ratio()))
	default:
		r.fault("OTEL_TRACES_SAMPLER", "must be always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or "+
			"parentbased_traceidratio", text)
		return nil
	}
}

func (r *reader) ratio() float64 {
	text := r.get("OTEL_TRACES_SAMPLER_ARG")
	if text == "" {
		return 1
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		r.fault("OTEL_TRACES_SAMPLER_ARG", "must be a ratio, 0..1", text)
		return 1
	}
	return v
}
