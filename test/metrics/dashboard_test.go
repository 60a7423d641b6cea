package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dashboard is Grafana's, as far as queries and places go.
type dashboard struct {
	Templating struct {
		List []struct {
			Name  string
			Query string
		}
	}
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
}

var values = regexp.MustCompile(`^label_values\((.*), \w+\)$`)

// TestDashboard wants every query of the dashboard to parse, as Grafana would send it, and to ask for what programs show; and no
// panel to lie over another.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "infra/grafana/belfry.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	fill := []string{"$__rate_interval", "5m"}
	var queries []string
	for _, v := range d.Templating.List {
		fill = append(fill, "$"+v.Name, ".*")
		if m := values.FindStringSubmatch(v.Query); m != nil {
			queries = append(queries, m[1])
		}
	}
	filled := strings.NewReplacer(fill...)
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: its id is another's, too", p.Title)
		}
		ids[p.ID] = true
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("%s is a %s with %d queries", p.Title, p.Type, len(p.Targets))
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			q := filled.Replace(target.Expr)
			if strings.Contains(q, "$") {
				t.Errorf("%s: nobody fills in %s", p.Title, q)
			}
			queries = append(queries, q)
		}
	}
	const least = 40
	if len(queries) < least {
		t.Errorf("%d queries", len(queries))
	}
	hold(t, queries)
}
