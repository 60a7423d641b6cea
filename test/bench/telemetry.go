package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// The settings whose cost -telemetry compares. The first is the default, and the baseline; the second is the same again,
// which says how far two equal runs are apart here.
const (
	offName     = "off"
	againName   = "off_again"
	scrapedName = "scraped"
	someName    = "sampled_1"
	allName     = "sampled_100"
)

func telemetrySettings() []string {
	return []string{offName, againName, scrapedName, someName, allName}
}

// settingLabel is a setting in words.
func settingLabel(name string) string {
	return map[string]string{
		offName: "no traces (the default)", againName: "the same again: noise", scrapedName: "metrics read every second",
		someName: "traces, 1 %", allName: "traces, 100 %",
	}[name]
}

// Telemetry is what telemetry costs, by setting.
type Telemetry struct {
	plan

	Singles int              `json:"singles"` // requests of one recipient each, beside the batch
	Go      string           `json:"go"`
	Cores   int              `json:"cores"`
	Begun   time.Time        `json:"begun"`
	Rounds  []TelemetryRound `json:"round"`
	// Metrics cannot be turned off, so what they cost is counted, and weighed.
	Metrics MetricsCost `json:"metrics"`
}

// TelemetryRound is what each setting used in one round.
type TelemetryRound map[string]TelemetrySample

// TelemetrySample is processor time of all programs, in microseconds a notification.
type TelemetrySample struct {
	Batch  float64 `json:"batch_cpu_us"`
	Single float64 `json:"single_cpu_us"`
	Spans  float64 `json:"spans"` // that the collector got, of both
}

// MetricsCost is what counting costs: how many operations a notification takes, and what one takes here.
type MetricsCost struct {
	BatchObserved, BatchCounted   float64 // a notification: values of histograms, steps of counters
	SingleObserved, SingleCounted float64
	Observe, Count                float64 // microseconds
}

// singlesShare is how many requests of one recipient there are for each recipient of the batch.
const singlesShare = 10

// weigh measures the settings in shuffled rounds, and says on progress how far it is.
func weigh(ctx context.Context, p plan, progress io.Writer) (t Telemetry, err error) {
	m, end, err := prepare(ctx, p)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, end()) }()
	t = Telemetry{
		plan: p, Singles: max(1, p.Recipients/singlesShare), Go: runtime.Version(), Cores: runtime.NumCPU(),
		Begun: time.Now().UTC().Truncate(time.Second),
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format, args...) }
	say("%d rounds of a batch of %d and %d single notifications, with each of %d settings\n", p.Rounds, p.Recipients, t.Singles,
		len(telemetrySettings()))
	if _, err := m.pipeline(ctx, m.known); err != nil { // gets to know the devices
		return t, err
	}
	for i := range p.Rounds {
		say("round %d:", i+1)
		round := TelemetryRound{}
		for _, at := range rand.Perm(len(telemetrySettings())) { //nolint:gosec // an order, not a secret
			name := telemetrySettings()[at]
			say(" %s", name)
			if round[name], err = m.weighOne(ctx, &t, name); err != nil {
				say("\n")
				return t, fmt.Errorf("%s: %w", name, err)
			}
		}
		say("\n")
		t.Rounds = append(t.Rounds, round)
	}
	t.Metrics.Observe, t.Metrics.Count = weighOperations()
	return t, nil
}

// weighOne has a site with a setting send a batch, and then single notifications.
func (m *machine) weighOne(ctx context.Context, t *Telemetry, name string) (s TelemetrySample, err error) {
	c, err := openCollector(ctx)
	if err != nil {
		return s, err
	}
	defer c.close()
	plain := m.env
	defer func() { m.env = plain }()
	m.env = append(slices.Clone(plain), c.settings(name)...)
	site, err := m.openSite(ctx, m.known, m.url+"/v1", 1)
	if err != nil {
		return s, err
	}
	if name == scrapedName {
		stop := site.scrape(ctx)
		defer stop()
	}
	batch, err := site.weighBatch(ctx, load{batches: 1, recipients: t.Recipients})
	if err != nil {
		return s, err
	}
	single, err := site.weighSingles(ctx, t.Singles)
	if err != nil {
		return s, err
	}
	site.end()
	if name == offName {
		t.Metrics.BatchObserved, t.Metrics.BatchCounted = batch.observed/float64(t.Recipients), batch.counted/float64(t.Recipients)
		t.Metrics.SingleObserved, t.Metrics.SingleCounted = single.observed/float64(t.Singles), single.counted/float64(t.Singles)
	}
	return TelemetrySample{
		Batch: batch.cpu / float64(t.Recipients), Single: single.cpu / float64(t.Singles), Spans: float64(c.spans()),
	}, nil
}

// work is what a site has done since some moment: processor time in microseconds, and what it counted. took is how long it
// sent, where somebody measured that.
type work struct {
	cpu, observed, counted float64
	took                   time.Duration
}

func (s *site) work(ctx context.Context) (w work, err error) {
	for _, c := range append([]*child{s.ingest}, s.dispatchers...) {
		one, err := workOf(ctx, c.said)
		if err != nil {
			return w, err
		}
		w.cpu, w.observed, w.counted = w.cpu+one.cpu, w.observed+one.observed, w.counted+one.counted
	}
	return w, nil
}

func (w work) since(before work) work {
	return work{cpu: w.cpu - before.cpu, observed: w.observed - before.observed, counted: w.counted - before.counted}
}

func (s *site) weighBatch(ctx context.Context, l load) (work, error) {
	ids, err := s.upload(ctx, l)
	if err != nil {
		return work{}, err
	}
	before, err := s.work(ctx)
	if err != nil {
		return work{}, err
	}
	begun := time.Now()
	if err := s.send(ctx, ids, l.recipients); err != nil {
		return work{}, err
	}
	return s.workSince(ctx, before, time.Since(begun))
}

// weighSingles sends notifications of one recipient each, and waits until every one was sent.
func (s *site) weighSingles(ctx context.Context, n int) (work, error) {
	before, err := s.work(ctx)
	if err != nil {
		return work{}, err
	}
	sent, err := s.sent(ctx)
	if err != nil {
		return work{}, err
	}
	const senders = 16
	begun := time.Now()
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for from := range senders {
		all.Go(func() {
			for i := from; i < n; i += senders {
				_, err := s.api.Send(ctx, client.Request{
					To: &client.Target{Tokens: []string{token(i)}}, Message: json.RawMessage(inJSON), Priority: client.PriorityHigh,
				})
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return work{}, *err
	}
	const every = 20 * time.Millisecond
	for poll := time.NewTicker(every); ; {
		now, err := s.sent(ctx)
		if err != nil {
			return work{}, err
		}
		if now-sent >= float64(n) {
			poll.Stop()
			return s.workSince(ctx, before, time.Since(begun))
		}
		select {
		case <-ctx.Done():
			return work{}, context.Cause(ctx)
		case <-poll.C:
		}
	}
}

// sent is how many deliveries the dispatchers have sent.
func (s *site) sent(ctx context.Context) (total float64, err error) {
	for _, d := range s.dispatchers {
		now, err := metrics(ctx, d.said)
		if err != nil {
			return 0, err
		}
		total += now[`belfry_outcomes_total{class="sent",code="sent"}`]
	}
	return total, nil
}

func (s *site) workSince(ctx context.Context, before work, took time.Duration) (work, error) {
	if err := s.settle(ctx); err != nil {
		return work{}, err
	}
	now, err := s.work(ctx)
	now = now.since(before)
	now.took = took
	return now, err
}

// workOf reads a program's processor time, and how often anything was counted or observed.
func workOf(ctx context.Context, addr string) (w work, err error) {
	err = get(ctx, "http://"+addr+"/metrics", func(body io.Reader) error {
		text, kind := bufio.NewScanner(body), ""
		for text.Scan() {
			if family, ok := strings.CutPrefix(text.Text(), "# TYPE "); ok {
				_, kind, _ = strings.Cut(family, " ")
				continue
			}
			series, number, ok := strings.Cut(text.Text(), " ")
			if i := strings.LastIndex(text.Text(), "} "); i >= 0 { // a label's value may have a space
				series, number, ok = text.Text()[:i+1], text.Text()[i+2:], true
			}
			var v float64
			if _, err := fmt.Sscan(number, &v); !ok || err != nil {
				continue
			}
			name, _, _ := strings.Cut(series, "{")
			switch {
			case name == "process_cpu_seconds_total":
				w.cpu = v * 1e6 //nolint:mnd // microseconds
			case !strings.HasPrefix(name, "belfry_"):
			case kind == "histogram" && strings.HasSuffix(name, "_count"):
				w.observed += v
			case kind == "counter" && !strings.Contains(name, "seconds") && !strings.Contains(name, "bytes"):
				w.counted += v // at most: one step may be of more than one
			}
		}
		return text.Err()
	})
	return w, err
}

// scrape reads all metrics every second, as Prometheus does every 15, until the returned function is called.
func (s *site) scrape(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		each := time.NewTicker(time.Second)
		defer each.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-each.C:
				_, _ = s.work(ctx)
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// weighOperations measures what one value of a histogram and one step of a counter take, in microseconds.
func weighOperations() (observe, count float64) {
	const times = 2_000_000
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(telemetry.Latency("bench_seconds", "As all of Belfry's.", .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60))
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "bench_total", Help: "As all of Belfry's."})
	reg.MustRegister(h, c)
	each := func(do func(i int)) float64 {
		before := ownUsage().cpu
		for i := range times {
			do(i)
		}
		return (ownUsage().cpu - before).Seconds() * 1e6 / times
	}
	observe = each(func(i int) { h.Observe(0.03 + float64(i%1000)/10_000) })
	return observe, each(func(int) { c.Inc() })
}

// collector takes spans, and forgets them.
type collector struct {
	server *http.Server
	url    string
	bytes  atomic.Int64
}

func openCollector(ctx context.Context) (*collector, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c := &collector{url: "http://" + l.Addr().String()}
	c.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		c.bytes.Add(n)
	})}
	go func() { _ = c.server.Serve(l) }()
	return c, nil
}

func (c *collector) close() { _ = c.server.Close() }

// usualSpan is about how many bytes a span takes as OTLP.
const usualSpan = 300

func (c *collector) spans() int64 { return c.bytes.Load() / usualSpan }

// settings are the environment variables of a setting.
func (c *collector) settings(name string) []string {
	ratio := map[string]string{someName: "0.01", allName: "1"}[name]
	if ratio == "" {
		return nil
	}
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + ratio,
	}
}

// ratio is the median over rounds of a setting's processor time, as a share of the default's in the same round.
func (t *Telemetry) ratio(name string, of func(TelemetrySample) float64) float64 {
	return t.middle(func(r TelemetryRound) float64 { return of(r[name]) / of(r[offName]) })
}

func (t *Telemetry) middle(of func(TelemetryRound) float64) float64 {
	all := make([]float64, len(t.Rounds))
	for i, r := range t.Rounds {
		all[i] = of(r)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// table shows the results in 80 columns.
func (t *Telemetry) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s: %d rounds of a batch of %d and of %d\n"+
		"requests of one recipient, ingest and dispatcher, FCM stand-in over TLS at %v;\n"+
		"processor time a notification, medians\n\n",
		t.Begun.Format(time.DateOnly), t.Cores, t.Go, len(t.Rounds), t.Recipients, t.Singles, t.Latency)
	fmt.Fprintf(&b, "%-28s %10s %8s %12s\n", "", "batch", "", "one by one")
	batch := func(s TelemetrySample) float64 { return s.Batch }
	single := func(s TelemetrySample) float64 { return s.Single }
	for _, name := range telemetrySettings() {
		fmt.Fprintf(&b, "%-28s %7.1f µs %+7.1f%% %9.0f µs %+7.1f%%\n", settingLabel(name),
			t.middle(func(r TelemetryRound) float64 { return r[name].Batch }), 100*(t.ratio(name, batch)-1),
			t.middle(func(r TelemetryRound) float64 { return r[name].Single }), 100*(t.ratio(name, single)-1))
	}
	m := &t.Metrics
	cost := func(observed, counted float64) float64 { return observed*m.Observe + counted*m.Count }
	inBatch, alone := cost(m.BatchObserved, m.BatchCounted), cost(m.SingleObserved, m.SingleCounted)
	base := t.middle(func(r TelemetryRound) float64 { return r[offName].Batch })
	baseAlone := t.middle(func(r TelemetryRound) float64 { return r[offName].Single })
	fmt.Fprintf(&b, "%-28s %7.1f µs %7.1f%% %9.1f µs %7.1f%%\n", "counting itself, within that", inBatch, 100*inBatch/base, alone,
		100*alone/baseAlone)
	fmt.Fprintf(&b, "\nCounting: %.1f values of histograms and %.1f steps of counters a notification of\n"+
		"the batch, %.1f and %.1f of one alone, at %.0f and %.0f ns here.\n",
		m.BatchObserved, m.BatchCounted, m.SingleObserved, m.SingleCounted, 1000*m.Observe, 1000*m.Count)
	return b.String()
}

// The marks of a document's part about telemetry's cost.
const (
	telemetryBegin = "<!-- telemetry: begin -->"
	telemetryEnd   = "<!-- telemetry: end -->"
)

// runTelemetry measures, or takes results from a file, and reports.
func (o options) runTelemetry(ctx context.Context, out, errs io.Writer) error {
	var t Telemetry
	var err error
	if o.from != "" {
		err = readJSON(o.from, &t)
	} else {
		t, err = weigh(ctx, o.plan, errs)
	}
	if err != nil {
		return err
	}
	if len(t.Rounds) == 0 {
		return errors.New("bench: no round was measured")
	}
	_, err = io.WriteString(out, t.table())
	if o.out != "" {
		err = errors.Join(err, writeJSON(o.out, t))
	}
	if o.update != "" {
		err = errors.Join(err, replace(o.update, telemetryBegin, telemetryEnd, "```text\n"+t.table()+"```\n"))
	}
	return err
}
