package metrics

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/test/programs"
)

// root is where the repository begins.
const root = "../.."

// promtool finds Prometheus' tool.
func promtool(t *testing.T) string {
	t.Helper()
	return tool(t, "promtool", "prometheus")
}

// tool finds a program of a package of Debian's. Without it the test is skipped, unless BELFRY_REQUIRE_PROMTOOL is set, as in CI.
func tool(t *testing.T, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	say := "no " + name + " found: install Debian's " + from
	if required, _ := config.Environment()("BELFRY_REQUIRE_PROMTOOL"); required != "" {
		t.Fatal(say + ", which BELFRY_REQUIRE_PROMTOOL asks for")
	}
	t.Skip(say)
	return ""
}

// page is what one program shows.
type page struct {
	program  string
	text     []byte
	families map[string]*dto.MetricFamily
}

var shownOnce struct {
	sync.Mutex
	pages []page
}

// shown starts every program once, on a data directory, and on AWS' stand-ins where they are, and returns their pages.
func shown(t *testing.T) []page {
	t.Helper()
	shownOnce.Lock()
	defer shownOnce.Unlock()
	if shownOnce.pages != nil {
		return shownOnce.pages
	}
	sim := commands.Simulator(t, time.Millisecond)
	embedded := []string{
		"BELFRY_DATA=" + t.TempDir(), "BELFRY_LOG_FORMAT=json", "BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_LISTEN=127.0.0.1:0",
		"BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_METRICS_LISTEN=127.0.0.1:0", "BELFRY_API_KEY=k",
	}
	up := append(slices.Clone(embedded), "BELFRY_DATA="+t.TempDir())
	pages := []page{
		read(t, "ingest", embedded, `"listen":"`),
		read(t, "dispatcher", embedded, `"metrics":"`),
		read(t, "dlq-replayer", embedded, `"metrics":"`, "drain", "--watch"),
		read(t, "belfry up", up, `"listen":"`, "up", "--sandbox"),
	}
	shownOnce.pages = pages
	return pages
}

// read starts a program and returns what it shows as soon as it is ready, and has looked at the replays if it does.
func read(t *testing.T, name string, env []string, marker string, args ...string) page {
	t.Helper()
	program, _, _ := strings.Cut(name, " ")
	p, rest := commands.Start(t, marker, program, env, args...)
	defer p.Stop(t)
	addr, _, _ := strings.Cut(rest, `"`)
	var text []byte
	programs.WaitForMoment(t, time.Second/10, "the replays to be counted", func() bool {
		text = get(t, "http://"+addr+"/metrics")
		return name == "dispatcher" || bytes.Contains(text, []byte("belfry_replays_open{"))
	})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return page{name, text, families}
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, res.StatusCode, err)
	}
	return text
}

// names are the series that the programs show, as a query can name them: of histograms with their endings.
func names(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{"up": true} // Prometheus' own
	for _, f := range described(t) {
		all[f.name] = true
		if f.kind == "histogram" {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				all[f.name+part] = true
			}
		}
	}
	return all
}

// TestPromtoolFindsNothing holds what each program shows against the conventions of Prometheus.
func TestPromtoolFindsNothing(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, p := range shown(t) {
		cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
		cmd.Stdin = bytes.NewReader(p.text)
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", p.program, err, out)
		}
	}
}

// TestSeriesAreThereFromTheStart wants the values of closed sets before anything happened.
func TestSeriesAreThereFromTheStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		program, metric, label string
		want                   []string
	}{
		{"ingest", "belfry_open_recipients", "state", []string{"deferred", "ending", "held", "outbox", "paused", "sending"}},
		{"ingest", "belfry_janitor_lost_total", "what", []string{"check", "chunk", "expired_chunk", "page", "release", "replayed_chunk"}},
		{"ingest", "belfry_accepted_total", "priority", []string{"bulk", "high", "normal"}},
		{"dispatcher", "belfry_time_to_fcm_seconds", "priority", []string{"bulk", "high", "normal"}},
		{"dispatcher", "belfry_dwell_seconds", "priority", []string{"bulk", "high", "normal"}},
		{"dispatcher", "belfry_breaker_state", "state", []string{"closed", "half_open", "open"}},
		{"dispatcher", "belfry_breaker_forced", "state", []string{"closed", "open"}},
		{"dispatcher", "belfry_pause_oldest_age_seconds", "owner", []string{"operator", "tenant"}},
		{"dispatcher", "belfry_queue_depth", "state", []string{"delayed", "in_flight", "visible"}},
		{"dispatcher", "belfry_outcomes_total", "class", []string{
			"ambiguous", "cancelled", "dead_lettered", "expired", "permanent", "sent", "suppressed",
		}},
		{"dlq-replayer", "belfry_dead_letters", "state", []string{"discarded", "parked", "replayed", "replaying"}},
	} {
		i := slices.IndexFunc(shown(t), func(p page) bool { return p.program == c.program })
		f, ok := shown(t)[i].families[c.metric]
		if !ok {
			t.Errorf("%s: no %s", c.program, c.metric)
			continue
		}
		got := map[string]bool{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == c.label {
					got[l.GetValue()] = true
				}
			}
		}
		if values := slices.Sorted(maps.Keys(got)); !slices.Equal(values, c.want) {
			t.Errorf("%s: %s has %s %q, want %q", c.program, c.metric, c.label, values, c.want)
		}
	}
}
