package emf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/adapter/emf/emftest"
)

// house is a registry with what the programs show.
type house struct {
	*prometheus.Registry

	open     *prometheus.GaugeVec
	looked   prometheus.Gauge
	depth    *prometheus.GaugeVec
	letters  *prometheus.GaugeVec
	breakers *prometheus.GaugeVec
	requests *prometheus.CounterVec
	handled  *prometheus.HistogramVec
	places   map[string]int
}

func newHouse() *house {
	gauges := func(name string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name}, labels)
	}
	h := &house{
		Registry: prometheus.NewRegistry(), open: gauges("belfry_open_oldest_age_seconds", "state"),
		looked: prometheus.NewGauge(prometheus.GaugeOpts{Name: "belfry_open_last_pass_timestamp_seconds"}),
		depth:  gauges("belfry_queue_depth", "queue", "state"), letters: gauges("belfry_dead_letters", "state"),
		breakers: gauges("belfry_breaker_state", "credential", "state"),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_http_requests_total"}, []string{"route", "method", "status"}),
		handled:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "belfry_queue_handle_seconds"}, []string{"queue"}),
		places:   map[string]int{},
	}
	h.MustRegister(h.open, h.looked, h.depth, h.letters, h.breakers, h.requests, h.handled)
	return h
}

func (h *house) writer(log *zap.Logger) *Writer {
	return New(Config{
		Registry: h.Registry, Log: log, Now: time.Now, Installation: "belfry", Program: "dispatcher", Task: "a/1",
		Places: func(context.Context) map[string]int { return h.places },
	})
}

// values reads lines, which must be good ones: all values by name, of a queue with its name.
func values(t *testing.T, text []byte) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range bytes.Lines(text) {
		l, err := emftest.Read(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.Dimensions[DimensionInstallation] != "belfry" || l.About["Program"] != "dispatcher" {
			t.Errorf("%s", line)
		}
		for name, v := range l.Values {
			if queue := l.Dimensions[DimensionQueue]; queue != "" {
				name += " " + queue
			}
			all[name] = v
		}
	}
	return all
}

func (w *Writer) now() []byte { return w.text(context.Background(), w.gather()) }

func TestValues(t *testing.T) {
	t.Parallel()
	h := newHouse()
	w := h.writer(zap.NewNop())
	if got := w.now(); len(got) > 0 {
		t.Errorf("nothing is known, and it says %s", got)
	}
	h.open.WithLabelValues("sending").Set(0)
	h.places["deliveries-high"] = 200
	for state, n := range map[string]float64{"visible": 0, "delayed": 7, "in_flight": 1} {
		h.depth.WithLabelValues("deliveries-high", state).Set(n)
	}
	want := map[string]float64{"DeadLetters": 0, "BreakersOpen": 0, "AcceptErrors": 0, "BacklogSecondsPerTask deliveries-high": 0}
	for _, q := range []string{"deliveries-high-dlq", "events-dlq"} {
		h.depth.WithLabelValues(q, "visible").Set(0)
	}
	h.breakers.WithLabelValues("p", "open").Set(0)
	h.requests.WithLabelValues("/v1/notifications", "POST", "503")
	if diff := cmp.Diff(want, values(t, w.now())); diff != "" { // no OldestOpenSeconds: nobody looked yet
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	w.before = w.gather()

	h.looked.Set(1)
	for state, age := range map[string]float64{"sending": 40, "outbox": 50, "paused": 9000, "held": 8000, "deferred": 7000, "ending": 3} {
		h.open.WithLabelValues(state).Set(age)
	}
	h.depth.WithLabelValues("deliveries-high", "visible").Set(1000)
	h.depth.WithLabelValues("events-dlq", "visible").Set(2)
	h.depth.WithLabelValues("events-dlq", "in_flight").Set(1)
	h.letters.WithLabelValues("parked").Set(5)
	h.letters.WithLabelValues("replayed").Set(50)
	h.breakers.WithLabelValues("p", "open").Set(1)
	h.breakers.WithLabelValues("q", "open").Set(1)
	h.breakers.WithLabelValues("r", "half_open").Set(1)
	h.requests.WithLabelValues("/v1/notifications", "POST", "503").Add(2)
	h.requests.WithLabelValues("/v1/events", "POST", "500").Add(1)
	h.requests.WithLabelValues("/v1/notifications", "POST", "202").Add(100)
	h.requests.WithLabelValues("/v1/notifications", "GET", "503").Add(10)
	h.requests.WithLabelValues("/v1/status", "POST", "503").Add(10)
	h.handled.WithLabelValues("deliveries-high").Observe(3)
	h.handled.WithLabelValues("deliveries-high").Observe(5)
	h.places["notifications"] = 8
	h.depth.WithLabelValues("notifications", "visible").Set(4)
	want = map[string]float64{
		"OldestOpenSeconds": 50, "DeadLetters": 8, "BreakersOpen": 2, "AcceptErrors": 3,
		"BacklogSecondsPerTask deliveries-high": 20, // 1000 × 4 s ÷ 200; of notifications no message's time is known
	}
	if diff := cmp.Diff(want, values(t, w.now())); diff != "" {
		t.Errorf("then (-want +got):\n%s", diff)
	}
	w.before = w.gather()

	// What a message took is remembered while none ends; errors count once.
	h.places["deliveries-high"] = 400
	want["AcceptErrors"], want["BacklogSecondsPerTask deliveries-high"] = 0, 10
	if diff := cmp.Diff(want, values(t, w.now())); diff != "" {
		t.Errorf("later (-want +got):\n%s", diff)
	}
}

// TestMetricsAreBounded: each combination of dimensions is a metric that AWS bills.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	for _, m := range Metrics() {
		for _, d := range m.Dimensions {
			if d != DimensionInstallation && d != DimensionQueue {
				t.Errorf("%s has the dimension %s: what bounds its values?", m.Name, d)
			}
		}
	}
}

// TestHostileNames: nothing in a name ends a line or a text.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	h := newHouse()
	hostile := "x\n{\"_aws\":{}}\r\"}\u2028"
	h.depth.WithLabelValues(hostile, "visible").Set(0)
	h.places[hostile] = 1
	w := h.writer(zap.NewNop())
	text := w.now()
	if n := bytes.Count(text, []byte("\n")); n != 1 {
		t.Fatalf("%d lines: %q", n, text)
	}
	l, err := emftest.Read(bytes.TrimSpace(text))
	if err != nil || l.Dimensions[DimensionQueue] != hostile {
		t.Errorf("%q: %v", text, err)
	}
	h.breakers.WithLabelValues("p", "open").Set(math.NaN()) // no JSON
	if got := w.now(); !bytes.Equal(got, text[:0]) && strings.Contains(string(got), "NaN") {
		t.Errorf("%s", got)
	}
}

// TestOnceAMinute: one line of each set a minute, and the last of a process when it ends.
func TestOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.breakers.WithLabelValues("p", "open").Set(1)
		h.places["deliveries-bulk"] = 26
		h.depth.WithLabelValues("deliveries-bulk", "visible").Set(0)
		time.Sleep(20 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		ended := make(chan struct{})
		go func() { h.writer(zap.NewNop()).Run(ctx, &out); close(ended) }()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 3*2 {
			t.Errorf("%d lines in three minutes:\n%s", n, out.String())
		}
		values(t, out.Bytes())
		cancel()
		<-ended
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 4*2 {
			t.Errorf("%d lines at the end:\n%s", n, out.String())
		}
	})
}

// stuck is a reader that takes nothing until it is freed.
type stuck struct {
	free chan struct{}
	got  bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.free
	return s.got.Write(p)
}

// TestSlowReader: who does not read holds nobody up, is told of once, and learns later what was counted meanwhile.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		failed := h.requests.WithLabelValues("/v1/batches", "POST", "500")
		core, logged := observer.New(zap.InfoLevel)
		ctx, cancel := context.WithCancel(t.Context())
		out := &stuck{free: make(chan struct{})}
		ended := make(chan struct{})
		w := h.writer(zap.New(core))
		go func() { w.Run(ctx, out); close(ended) }()
		for range 30 {
			failed.Inc()
			time.Sleep(time.Minute)
		}
		if n := logged.FilterField(zap.Error(errUnread)).Len(); n != 1 {
			t.Errorf("%d warnings: %v", n, logged.All())
		}
		close(out.free)
		time.Sleep(2 * time.Minute)
		cancel()
		<-ended
		var errs float64
		for line := range bytes.Lines(out.got.Bytes()) {
			errs += values(t, line)["AcceptErrors"]
		}
		if errs != 30 {
			t.Errorf("%v errors told, of 30", errs)
		}
		if n := logged.FilterMessage("a recurring task works again").Len(); n != 1 {
			t.Errorf("%v", logged.All())
		}
	})
}

// TestNoReader: a process ends although its last line never does.
func TestNoReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.breakers.WithLabelValues("p", "open").Set(1)
		ctx, cancel := context.WithCancel(t.Context())
		out := &stuck{free: make(chan struct{})}
		ended := make(chan struct{})
		go func() { h.writer(zap.NewNop()).Run(ctx, out); close(ended) }()
		time.Sleep(10 * time.Minute)
		begun := time.Now()
		cancel()
		<-ended
		if took := time.Since(begun); took > afterwards {
			t.Errorf("it took %v to end", took)
		}
		close(out.free)
	})
}

// broken fails.
type broken struct{ io.Writer }

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.breakers.WithLabelValues("p", "open").Set(1)
		core, logged := observer.New(zap.InfoLevel)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { h.writer(zap.New(core)).Run(ctx, broken{}); close(ended) }()
		time.Sleep(30 * time.Minute)
		cancel()
		<-ended
		if logged.Len() != 1 {
			t.Errorf("it should be said once: %v", logged.All())
		}
	})
}
