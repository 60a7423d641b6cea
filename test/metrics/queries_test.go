package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var promql = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")

// TestObjectivesAsk wants the queries of docs/slo.md to parse, and to ask for what programs show.
func TestObjectivesAsk(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/slo.md"))
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, m := range promql.FindAllStringSubmatch(string(text), -1) {
		queries = append(queries, m[1])
	}
	const least = 4
	if len(queries) < least {
		t.Errorf("%d queries", len(queries))
	}
	hold(t, queries)
}

// hold wants each query to parse, and to name metrics that a program shows or a rule records.
func hold(t *testing.T, queries []string) {
	t.Helper()
	known := names(t)
	for _, r := range theRules(t) {
		if r.Record != "" {
			known[r.Record] = true
		}
	}
	for _, q := range queries {
		some := asks(q)
		if len(some) == 0 {
			t.Errorf("%s names no metric", q)
		}
		for _, name := range some {
			if !known[name] {
				t.Errorf("nobody shows %s, which is asked for by %s", name, q)
			}
		}
	}
	// Prometheus' parser itself: a file of rules with a rule for each.
	var b strings.Builder
	b.WriteString("groups:\n  - name: queries\n    rules:\n")
	for i, q := range queries {
		quoted, err := json.Marshal(q) // which YAML reads as it is
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "      - record: query:%d\n        expr: %s\n", i, quoted)
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), promtool(t), "check", "rules", "--lint=none", file).CombinedOutput()
	if err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
