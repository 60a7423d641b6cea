package metrics

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/emf"
	"github.com/belfry-push/belfry/internal/adapter/emf/emftest"
)

// emfPrograms are the programs, and what each tells CloudWatch when nothing has happened.
func emfPrograms() map[string][]string {
	return map[string][]string{
		"ingest": {"AcceptErrors", "BacklogSecondsPerTask events", "DeadLetters", "OldestOpenSeconds"},
		"dispatcher": {
			"BacklogSecondsPerTask deliveries-bulk", "BacklogSecondsPerTask deliveries-high", "BacklogSecondsPerTask deliveries-replay",
			"BacklogSecondsPerTask notifications", "BreakersOpen", "DeadLetters",
		},
		"dlq-replayer": {"DeadLetters"},
		"belfry": {
			"AcceptErrors", "BacklogSecondsPerTask deliveries-bulk", "BacklogSecondsPerTask deliveries-high",
			"BacklogSecondsPerTask deliveries-replay", "BacklogSecondsPerTask events", "BacklogSecondsPerTask notifications", "BreakersOpen",
			"DeadLetters", "OldestOpenSeconds",
		},
	}
}

// looked is what ingest shows when it has looked at what is open.
var looked = regexp.MustCompile(`(?m)^belfry_open_last_pass_timestamp_seconds [1-9]`)

// run starts a program with --emf, ends it when it is ready, and returns what it wrote.
func run(t *testing.T, program string, out io.Writer) (log string) {
	t.Helper()
	env := []string{
		"BELFRY_EMF=true", "BELFRY_DATA=" + t.TempDir(), "BELFRY_LOG_FORMAT=json",
		"BELFRY_FCM_ENDPOINT=" + commands.Simulator(t, time.Millisecond).Endpoint,
		"BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_METRICS_LISTEN=127.0.0.1:0", "BELFRY_API_KEY=k",
		"BELFRY_AWS_PREFIX=shop",
	}
	args := map[string][]string{"dlq-replayer": {"drain", "--watch"}, "belfry": {"up", "--sandbox"}}[program]
	marker := map[string]string{"ingest": `"listen":"`, "belfry": `"listen":"`}[program]
	p, rest := commands.StartOut(t, out, cmp.Or(marker, `"metrics":"`), program, env, args...)
	if addr, _, _ := strings.Cut(rest, `"`); marker != "" { // the first look at what is open
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for begun := time.Now(); !looked.Match(get(t, "http://"+addr+"/metrics")); <-tick.C {
			if time.Since(begun) > time.Minute {
				t.Fatalf("%s does not look at what is open:\n%s", program, p.Log())
			}
		}
	}
	p.Signal(t, syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, p.Log())
	}
	return p.Log()
}

// TestEMF wants nothing but good lines of metrics on each program's standard output, and nothing but the log's on the other.
func TestEMF(t *testing.T) {
	t.Parallel()
	known := map[string]emf.Metric{}
	for _, m := range emf.Metrics() {
		known[m.Name] = m
	}
	told := map[string]bool{}
	for program, want := range emfPrograms() {
		var out bytes.Buffer
		log := run(t, program, &out)
		got := map[string]bool{}
		for line := range bytes.Lines(out.Bytes()) {
			l, err := emftest.Read(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				t.Fatalf("%s: %v: %s", program, err, line)
			}
			if l.Dimensions["Installation"] != "shop" || l.About["Program"] != program {
				t.Errorf("%s: %s", program, line)
			}
			for name := range l.Values {
				m, dimensions := known[name], slices.Sorted(maps.Keys(l.Dimensions))
				if m.Unit != l.Units[name] || !slices.Equal(dimensions, slices.Sorted(slices.Values(m.Dimensions))) {
					t.Errorf("%s: %s: %s", program, name, line)
				}
				told[name] = true
				if queue := l.Dimensions["Queue"]; queue != "" {
					name += " " + queue
				}
				got[name] = true
			}
		}
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
			t.Errorf("%s tells\n%q, want\n%q", program, names, want)
		}
		for line := range strings.Lines(log) {
			if program == "belfry" && !strings.HasPrefix(line, "{") {
				continue // its greeting
			}
			var entry map[string]any
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["msg"] == nil || entry["_aws"] != nil {
				t.Errorf("%s logs %q: %v", program, line, err)
			}
		}
	}
	if len(told) != len(known) {
		t.Errorf("of %d metrics %d are told", len(known), len(told))
	}
}

// TestEMFUnread: a log driver that has gone does not end a program.
func TestEMFUnread(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if log := run(t, "dispatcher", w); !strings.Contains(log, "writing metrics for CloudWatch") {
		t.Errorf("it does not say that nobody reads:\n%s", log)
	}
}
