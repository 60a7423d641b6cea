package metrics

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// rules are a file of rules, as far as it matters here.
type rules struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// books is where the runbooks are, for whoever has an alert in hand and not the repository.
const books = "https://github.com/belfry-push/belfry/blob/main/docs/runbooks/"

func theRules(t *testing.T) []rule {
	t.Helper()
	var r rules
	parse(t, "infra/alerts/belfry.rules.yml", &r)
	var all []rule
	for _, g := range r.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

func parse(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	named  = regexp.MustCompile(`\b(?:belfry|go|process|promhttp)(?:_[a-z0-9]+)+\b|\bbelfry:[a-z0-9_:]+`)
)

// asks are the metrics that an expression names, without those within quotes.
func asks(expr string) []string {
	return slices.Compact(slices.Sorted(slices.Values(named.FindAllString(quoted.ReplaceAllString(expr, `""`), -1))))
}

// TestRulesNameMetrics wants every expression to name metrics that a program shows, or that a rule records.
func TestRulesNameMetrics(t *testing.T) {
	t.Parallel()
	known := names(t)
	all := theRules(t)
	for _, r := range all {
		if r.Record != "" {
			known[r.Record] = true
		}
	}
	for _, r := range all {
		some := asks(r.Expr)
		if len(some) == 0 {
			t.Errorf("%s%s names no metric", r.Alert, r.Record)
		}
		for _, name := range some {
			if !known[name] {
				t.Errorf("%s%s: nobody shows %s", r.Alert, r.Record, name)
			}
		}
	}
}

// TestRunbooks wants a runbook for each alert, with all of its parts, and an alert for each runbook.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	parts := []string{
		"\n*Fires* ", "\n**Meaning.** ", "\n**Likely cause.** ", "\n**Check.**\n\n```sh\n", "\n**Fix.** ",
		"\n**What not to do.** ",
	}
	wanted := map[string]bool{"dead-letters.md": true} // by code, and not by alert
	for _, r := range theRules(t) {
		if r.Alert == "" {
			continue
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		file := kebab(strings.TrimPrefix(r.Alert, "Belfry")) + ".md"
		if r.Annotations["runbook_url"] != books+file {
			t.Errorf("%s leads to %s, want %s", r.Alert, r.Annotations["runbook_url"], books+file)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", r.Alert)
		}
		if wanted[file] {
			continue
		}
		wanted[file] = true
		text, err := os.ReadFile(filepath.Join(root, "docs/runbooks", file))
		if err != nil {
			t.Error(err)
			continue
		}
		rest, ok := strings.CutPrefix(string(text), "# "+r.Alert+"\n")
		if !ok {
			t.Errorf("%s is not headed %s", file, r.Alert)
		}
		for _, part := range parts {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("%s lacks %q, or has it in the wrong place", file, strings.TrimSpace(part))
				break
			}
			rest = after
		}
	}
	found, err := filepath.Glob(filepath.Join(root, "docs/runbooks/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if !wanted[filepath.Base(f)] {
			t.Errorf("no alert leads to %s", filepath.Base(f))
		}
	}
}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

func kebab(name string) string { return strings.ToLower(capital.ReplaceAllString(name, "$1-$2")) }

// fixture is a file of promtool's tests of rules.
type fixture struct {
	Tests []struct {
		Name  string
		Tests []struct {
			Alert string     `yaml:"alertname"`
			Exp   []struct{} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// TestAlerts has promtool play outages and noise to the rules. Each alert must fire in an outage, be silent before it, and be
// silent in the noise.
func TestAlerts(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	files, err := filepath.Glob(filepath.Join(root, "infra/alerts/tests/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	fires, silent, quiet := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range files {
		var all fixture
		parse(t, filepath.Join("infra/alerts/tests", filepath.Base(f)), &all)
		noise := strings.HasPrefix(filepath.Base(f), "noise")
		for _, c := range all.Tests {
			for _, check := range c.Tests {
				switch {
				case len(check.Exp) > 0 && noise:
					t.Errorf("%s: %s fires", c.Name, check.Alert)
				case len(check.Exp) > 0:
					fires[check.Alert] = true
				case noise:
					quiet[check.Alert] = true
				default:
					silent[check.Alert] = true
				}
			}
		}
	}
	for _, r := range theRules(t) {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert] || !quiet[r.Alert]) {
			t.Errorf("%s: tried in an outage: %v, before it: %v, in noise: %v", r.Alert, fires[r.Alert], silent[r.Alert], quiet[r.Alert])
		}
	}
	run := func(args ...string) {
		t.Run(filepath.Base(args[len(args)-1]), func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		})
	}
	run("check", "rules", filepath.Join(root, "infra/alerts/belfry.rules.yml"))
	for _, f := range files {
		run("test", "rules", f)
	}
}

// TestRoutes has Alertmanager's tool check the example of its routes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, "infra/alerts/alertmanager.example.yml")
	tool := tool(t, "amtool", "prometheus-alertmanager")
	if out, err := exec.CommandContext(t.Context(), tool, "check-config", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for labels, want := range map[string]string{
		"severity=page": "on-call", "severity=ticket": "channel",
	} {
		cmd := exec.CommandContext(t.Context(), tool, "config", "routes", "test", "--config.file", file, labels)
		out, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s goes to %s (%v), want %s", labels, out, err, want)
		}
	}
}
