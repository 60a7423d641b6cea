// Package otlp gives the spans of internal/trace to OpenTelemetry's SDK, and from there to a
// collector: it is the only package that knows either.
//
// The pipeline never waits for it. A span that ends is put into a queue in memory of a fixed
// size; if that is full, the span is dropped and counted. A collector that is away, slow or
// refusing is said once in the log, and once that it is back.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// scope names the instrumentation in every span.
const scope = "github.com/belfry-push/belfry"

// sparedPerSecond is how many traces a second are kept, beside those that are sampled,
// because something in them failed. In an outage everything fails: a few tell what, and the
// collector must not be the next to fall.
const sparedPerSecond = 50

// sparedRefusals is the same for what FCM refuses for good: a device that is gone is nobody's
// trouble, but whoever asks for a batch's failed recipients should find a trace of the kind.
const sparedRefusals = 1

// Recorder keeps spans, and has them exported. Safe for concurrent use.
type Recorder struct {
	sampler  sdk.Sampler
	spared   *rate.Limiter
	refusals *rate.Limiter
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	queue    *exporting
}

var _ trace.Recorder = (*Recorder)(nil)

// About says which process the spans are of.
type About struct {
	Service  string // service.name, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says another
	Instance string
}

// Open returns a recorder that exports to the settings' endpoint; nothing is sent before the
// first span.
func Open(ctx context.Context, s Settings, about About, m *Metrics, log *zap.Logger) (*Recorder, error) {
	c, err := newClient(s)
	if err != nil {
		return nil, err
	}
	e, err := otlptrace.New(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return New(ctx, s, e, about, m, log)
}

// New returns a recorder that exports with e.
func New(ctx context.Context, s Settings, e sdk.SpanExporter, about About, m *Metrics, log *zap.Logger) (*Recorder, error) {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", about.Service), attribute.String("service.version", telemetry.Version()),
		attribute.String("service.instance.id", about.Instance),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	q := &exporting{SpanExporter: e, log: log, most: int64(s.Queue), spans: m}
	p := sdk.NewTracerProvider(
		sdk.WithResource(res), sdk.WithSampler(sdk.AlwaysSample()), // the decision was taken before
		sdk.WithIDGenerator(given{}), sdk.WithBatcher(q, sdk.WithMaxQueueSize(s.Queue)),
	)
	return &Recorder{
		sampler: s.Sampler, spared: rate.NewLimiter(sparedPerSecond, sparedPerSecond),
		refusals: rate.NewLimiter(sparedRefusals, sparedRefusals), provider: p,
		tracer: p.Tracer(scope, otel.WithInstrumentationVersion(telemetry.Version())), queue: q,
	}, nil
}

// Close exports what waits, until ctx ends.
func (r *Recorder) Close(ctx context.Context) error {
	if err := r.provider.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // what a collector did not take in time is lost, as is said in the log
}

// Sample implements trace.Recorder.
func (r *Recorder) Sample(id [16]byte, parent telemetry.TraceParent) bool {
	ctx := context.Background()
	if parent.Valid() {
		ctx = otel.ContextWithRemoteSpanContext(ctx, contextOf(parent, true))
	}
	return r.sampler.ShouldSample(sdk.SamplingParameters{ParentContext: ctx, TraceID: id}).Decision == sdk.RecordAndSample
}

// Spare implements trace.Recorder.
func (r *Recorder) Spare(why trace.Result) bool {
	if why == trace.Refused {
		return r.refusals.Allow()
	}
	return r.spared.Allow()
}

// Record implements trace.Recorder.
func (r *Recorder) Record(e *trace.Ended) {
	if !r.queue.admit() {
		return
	}
	ctx := context.WithValue(context.Background(), own{}, e.At)
	if e.Parent.Valid() {
		ctx = otel.ContextWithSpanContext(ctx, contextOf(e.Parent, e.Remote))
	}
	attrs := make([]attribute.KeyValue, 0, len(e.Attrs)+1)
	for _, a := range e.Attrs {
		attrs = append(attrs, attribute.KeyValue{Key: attribute.Key(a.Key), Value: valueOf(a)})
	}
	if e.Fault != "" {
		attrs = append(attrs, attribute.String(string(trace.KeyErrorType), e.Fault))
	}
	links := make([]otel.Link, len(e.Links))
	for i, l := range e.Links {
		links[i].SpanContext = contextOf(l, true)
	}
	_, s := r.tracer.Start(ctx, e.Name, otel.WithTimestamp(e.Start), otel.WithSpanKind(kindOf(e.Kind)), otel.WithAttributes(attrs...),
		otel.WithLinks(links...))
	if e.Fault != "" {
		s.SetStatus(codes.Error, e.Fault)
	}
	s.End(otel.WithTimestamp(e.End))
}

func valueOf(a trace.Attr) attribute.Value {
	if a.Text != "" {
		return attribute.StringValue(a.Text)
	}
	return attribute.Int64Value(a.Number)
}

func contextOf(at telemetry.TraceParent, remote bool) otel.SpanContext {
	return otel.NewSpanContext(otel.SpanContextConfig{
		TraceID: at.TraceID, SpanID: at.ParentID, TraceFlags: otel.TraceFlags(at.Flags), Remote: remote,
	})
}

func kindOf(k trace.Kind) otel.SpanKind {
	switch k {
	case trace.Server:
		return otel.SpanKindServer
	case trace.Client:
		return otel.SpanKindClient
	case trace.Producer:
		return otel.SpanKindProducer
	case trace.Consumer:
		return otel.SpanKindConsumer
	case trace.Internal:
	}
	return otel.SpanKindInternal
}

// given generates the ids that a span has already: others have gone on from them.
type given struct{}

// own is the key of a span's own position in the context that it is started with.
type own struct{}

// NewIDs implements sdk.IDGenerator.
func (g given) NewIDs(ctx context.Context) (otel.TraceID, otel.SpanID) {
	at, _ := ctx.Value(own{}).(telemetry.TraceParent)
	return at.TraceID, at.ParentID
}

// NewSpanID implements sdk.IDGenerator.
func (g given) NewSpanID(ctx context.Context, _ otel.TraceID) otel.SpanID {
	_, id := g.NewIDs(ctx)
	return id
}

// exporting counts what is exported, bounds what waits, and logs when exporting begins to
// fail and when that is over.
type exporting struct {
	sdk.SpanExporter

	log     *zap.Logger
	spans   *Metrics
	most    int64
	waiting atomic.Int64
	full    atomic.Bool

	mu   sync.Mutex
	fail telemetry.Ailing
}

// admit reports whether there is room for one more span. The SDK's own queue drops without
// a word, so it never gets what it would drop.
func (e *exporting) admit() bool {
	if e.waiting.Add(1) <= e.most {
		return true
	}
	e.waiting.Add(-1)
	e.spans.dropped.Inc()
	if !e.full.Swap(true) {
		e.log.Warn("more spans than the collector takes: they are dropped until it keeps up; nothing else is held up",
			zap.Int64("waiting", e.most))
	}
	return false
}

// ExportSpans implements sdk.SpanExporter. Its errors are told here, not to the SDK, which
// would log each one by a logger of its own.
func (e *exporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	n := int64(len(spans))
	if left := e.waiting.Add(-n); left < e.most/2 && err == nil {
		e.full.Store(false)
	}
	if err == nil {
		e.spans.exported.Add(float64(n))
	} else {
		e.spans.failed.Add(float64(n))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if errors.Is(err, context.Canceled) {
		return nil // the process ends
	}
	e.fail.Note(e.log, "traces to the collector", err)
	return nil
}

// Metrics counts spans by what became of them.
type Metrics struct{ exported, failed, dropped prometheus.Counter }

// NewMetrics registers belfry_trace_spans_total, which is 0 while nothing is traced.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_trace_spans_total",
		Help: "Spans kept, by result: exported; failed, because the collector did not take them; dropped, because too many waited for it.",
	}, []string{"result"})
	reg.MustRegister(spans)
	return &Metrics{
		exported: spans.WithLabelValues("exported"), failed: spans.WithLabelValues("failed"), dropped: spans.WithLabelValues("dropped"),
	}
}

// exportGrace is how long a stopping process waits for the collector.
const exportGrace = 3 * time.Second

// Grace is how long Close may take.
func (*Recorder) Grace() time.Duration { return exportGrace }
