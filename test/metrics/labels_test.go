package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bounded are the labels that series of ours have, and what bounds their values: whoever calls must not make a registry grow. A
// label is added here with its bound.
func bounded() map[string]string {
	const (
		closed = "a closed set of the code"
		build  = "one value of the program"
		parts  = "a part of the installation, by the name that the code gives it"
		aws    = "a service, operation, unit or reason of the SDK's that the code uses"
	)
	return map[string]string{
		"tenant":     "the 50 with the most use, and _other: internal/usage TestHostileTenants tries 10,000",
		"credential": "so many that are in use, and other: internal/guard",
		"route":      "the routes, not their paths",
		"method":     "those that routes have",
		"status":     "HTTP's",
		"class":      closed, "code": closed, "direction": closed, "from": closed, "outcome": closed, "platform": closed, "prediction": closed,
		"owner":    closed,
		"priority": closed, "quota": closed, "result": closed, "source": closed, "state": closed, "traffic": closed, "verdict": closed,
		"what": closed, "why": closed, "go_version": build, "revision": build, "version": build, "check": parts, "file": parts, "listener": parts,
		"queue": parts, "op": aws, "reason": aws, "service": aws, "unit": aws,
	}
}

// TestLabelsAreBounded wants every label of every series of every program on the list, and nothing on it that no series has.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	reasons, used := bounded(), map[string]bool{}
	for _, f := range described(t) {
		for _, name := range f.labels {
			if used[name] = true; reasons[name] == "" {
				t.Errorf("%s has the label %s: say in bounded what bounds its values", f.name, name)
			}
		}
	}
	for name, where := range declared(t) { // also of metrics that have no series yet
		if used[name] = true; reasons[name] == "" {
			t.Errorf("%s declares the label %s: say in bounded what bounds its values", where, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		if !used[name] {
			t.Errorf("no series has the label %s", name)
		}
	}
}

// declared are the labels that the source gives to vectors and descriptions, and a file of each.
func declared(t *testing.T) map[string]string {
	t.Helper()
	labels := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !strings.HasSuffix(of.Sel.Name, "Vec") && of.Sel.Name != "NewDesc" {
				return true
			}
			for _, arg := range call.Args {
				names, ok := arg.(*ast.CompositeLit)
				if !ok {
					continue
				}
				for _, e := range names.Elts {
					if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
						labels[strings.Trim(l.Value, `"`)] = path
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return labels
}
