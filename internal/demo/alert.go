package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/infra/alerts"
)

const (
	// promtool is Prometheus' tool that plays series to rules.
	promtool = "promtool"
	// ruleFile and playFile are what it reads: the rules, and the series with what they must make of them.
	ruleFile, playFile = "belfry.rules.yml", "breaker-open.yml"
	// recordedMetric is what the rule looks at, and openState the series of it that the rule is about.
	recordedMetric, openState = "belfry_breaker_state", `state="open"`
	// firesAfter is how long the rule waits, in its minutes, and so in samples.
	firesAfter = 5
)

// recording are the series of a metric, a sample a second, from the start on. Safe for concurrent use.
type recording struct {
	mu      sync.Mutex
	n       int                 // samples so far
	samples map[string][]string // by series
}

func newRecording() *recording { return &recording{samples: map[string][]string{}} }

// follow scrapes a page of metrics until ctx ends.
func (r *recording) follow(ctx context.Context, url string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := r.scrape(ctx, url); err != nil && ctx.Err() == nil {
			return fmt.Errorf("scrape %s: %w", url, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *recording) scrape(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	return r.read(res.Body)
}

// read takes a sample from a page in the text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (r *recording) read(page io.Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := bufio.NewScanner(page)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), recordedMetric+"{") {
			continue
		}
		end := strings.LastIndexByte(lines.Text(), ' ')
		series := lines.Text()[:end]
		r.samples[series] = append(r.padded(series), lines.Text()[end+1:])
	}
	r.n++
	return lines.Err()
}

// padded is a series with a gap, which is _, for each sample that it missed.
func (r *recording) padded(series string) []string {
	all := r.samples[series]
	for len(all) < r.n {
		all = append(all, "_")
	}
	return all
}

// length is how many samples there are.
func (r *recording) length() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// opened is the credential whose breaker opened, and at which sample; ok is false if none did.
func (r *recording) opened() (credential string, at int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for series := range r.samples {
		if at := slices.Index(r.padded(series), "1"); at >= 0 && strings.Contains(series, openState) {
			_, rest, _ := strings.Cut(series, `credential="`)
			credential, _, _ = strings.Cut(rest, `"`)
			return credential, at, true
		}
	}
	return "", 0, false
}

// play writes the series as promtool's test of rules: a sample a minute, since the rule's times are minutes.
// The alert must be silent before the breaker opened and four minutes after, fire from the fifth on, and be
// silent again at the end if it is over.
func (r *recording) play(over bool) (string, error) {
	credential, opened, ok := r.opened()
	if !ok || opened == 0 {
		return "", fmt.Errorf("no breaker was seen to open after the first sample of %d", r.length())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%s]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n", ruleFile)
	for _, series := range slices.Sorted(maps.Keys(r.samples)) {
		fmt.Fprintf(&b, "  - series: %s\n    values: '%s'\n", series, shortened(r.padded(series)))
	}
	b.WriteString("  alert_rule_test:\n")
	silent := func(at int) {
		fmt.Fprintf(&b, "  - { eval_time: %dm, alertname: BelfryBreakerOpen, exp_alerts: [] }\n", at)
	}
	silent(opened - 1)
	silent(opened + firesAfter - 1)
	fmt.Fprintf(&b, `  - eval_time: %dm
    alertname: BelfryBreakerOpen
    exp_alerts:
    - exp_labels: { severity: page, credential: %s }
      exp_annotations:
        summary: >-
          The breaker of %[2]s has been open for five minutes:
          nothing is sent with it.
        runbook_url: "https://github.com/belfry-push/belfry/blob/main/\
          docs/runbooks/breaker-open.md"
`, opened+firesAfter, credential)
	if over {
		silent(r.n - 1)
	}
	return b.String(), nil
}

// shortened writes samples as promtool does: 0+0x3 is 0 and three more.
func shortened(samples []string) string {
	var parts []string
	for i := 0; i < len(samples); {
		end := i
		for end < len(samples) && samples[end] == samples[i] {
			end++
		}
		switch n := end - i; {
		case samples[i] == "_":
			parts = append(parts, fmt.Sprintf("_x%d", n))
		case n == 1:
			parts = append(parts, samples[i])
		default:
			parts = append(parts, fmt.Sprintf("%s+0x%d", samples[i], n-1))
		}
		i = end
	}
	return strings.Join(parts, " ")
}

// alert plays what was recorded so far to the rules.
func (n *night) alert(ctx context.Context) error {
	if err := n.until(ctx, "the alert's time to pass", func(context.Context) (bool, error) {
		_, at, ok := n.series.opened()
		return ok && n.series.length() > at+firesAfter+1, nil
	}); err != nil {
		return err
	}
	n.note("Does anybody get called? The breaker's state was scraped once a second. Here it\n" +
		"is played to the rules of infra/alerts with a minute between two samples, for\n" +
		"the rule waits five minutes: silent before, silent after four, then it fires.")
	if err := os.WriteFile(filepath.Join(n.dir, ruleFile), []byte(alerts.Rules()), 0o600); err != nil {
		return err
	}
	return n.promtool(ctx, false)
}

// over plays all of it: when the outage is over the alert is, too.
func (n *night) over(ctx context.Context) error {
	n.note("The alert has ended, too: the same series to now, and a silence at their end.")
	return n.promtool(ctx, true)
}

func (n *night) promtool(ctx context.Context, over bool) error {
	text, err := n.series.play(over)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.dir, playFile), []byte(text), 0o600); err != nil {
		return err
	}
	show := "cat " + playFile
	if over {
		show = "grep -E 'values|exp_alerts: .]' " + playFile
	}
	if err := n.shell(ctx, "0", show); err != nil {
		return err
	}
	return n.shell(ctx, "SUCCESS", promtool+" test rules "+playFile)
}
