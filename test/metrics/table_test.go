package metrics

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

var update = flag.Bool("update", false, "write the table into docs/metrics.md")

// family is a metric as the table has it.
type family struct {
	name, kind, help string
	labels           []string
	programs         []string
}

// described are all metrics of ours by name: those that the programs show, and those of the calls to AWS, which have no series
// before the first call.
func described(t *testing.T) []family {
	t.Helper()
	all := map[string]*family{}
	add := func(program string, mf *dto.MetricFamily) {
		if !strings.HasPrefix(mf.GetName(), "belfry_") {
			return
		}
		f := all[mf.GetName()]
		if f == nil {
			f = &family{name: mf.GetName(), kind: strings.ToLower(mf.GetType().String()), help: mf.GetHelp()}
			all[f.name] = f
		}
		if f.programs = append(f.programs, program); len(mf.GetMetric()) > 0 {
			for _, l := range mf.GetMetric()[0].GetLabel() {
				if !slices.Contains(f.labels, l.GetName()) {
					f.labels = append(f.labels, l.GetName())
				}
			}
		}
	}
	for _, p := range shown(t) {
		for _, mf := range p.families {
			add(p.program, mf)
		}
	}
	reg := prometheus.NewRegistry()
	m := awsmeter.New(reg)
	m.Call("service", "op", "unit", 1)
	m.Retry("service", "op", "reason")
	m.Took("service", "op", 1)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, mf := range families {
		add("all, on AWS", mf)
	}
	all["belfry_aws_cost_dollars_total"] = &family{
		name: "belfry_aws_cost_dollars_total", kind: "counter", programs: []string{"all, on AWS"},
		help: "What the calls of this process to AWS cost, by the price list that this version came with; storage and transfer are not in it.",
	}
	var out []family
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, *all[name])
	}
	return out
}

const (
	begins = "<!-- table: go test ./test/metrics -run TestTable -update -->\n"
	ends   = "<!-- end of table -->\n"
)

// TestTable holds the table of docs/metrics.md against what the programs show.
func TestTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\n| metric | type | labels | programs | what |\n|---|---|---|---|---|\n")
	for _, f := range described(t) {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		programs := strings.Join(f.programs, ", ")
		if len(f.programs) == len(shown(t)) {
			programs = "all"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.name, f.kind, labels, programs, strings.ReplaceAll(f.help, "|", `\|`))
	}
	b.WriteString("\n")
	file := filepath.Join(root, "docs", "metrics.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begins)
	table, after, ended := strings.Cut(rest, ends)
	if !ok || !ended {
		t.Fatal("docs/metrics.md has no place for the table")
	}
	if table == b.String() {
		return
	}
	if !*update {
		t.Errorf("docs/metrics.md has another table: go test ./test/metrics -run TestTable -update")
		return
	}
	if err := os.WriteFile(file, []byte(before+begins+b.String()+ends+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
