package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// TestModule holds every package of the module against the table.
func TestModule(t *testing.T) {
	t.Parallel()

	rules := table()
	found := false
	for _, l := range listPackages(t) {
		p := l.pkg(t)
		found = found || p.name == "internal/arch"
		for _, fault := range check(rules, p) {
			t.Error(fault)
		}
	}
	if !found {
		t.Error("go list did not name this very package: nothing was checked")
	}
}

// TestSleepersUseABubble stands in for the linter in tests, where it lets
// time.Sleep and its kin pass because in a synctest bubble they cost no time:
// a package whose test code calls one must use synctest. A conformance suite may
// call them in cases that its Features keep for a virtual clock.
func TestSleepersUseABubble(t *testing.T) {
	t.Parallel()

	paths := testCode(listPackages(t))
	if len(paths) == 0 {
		t.Fatal("found no test file: nothing was checked")
	}
	calls, bubbles := map[string]string{}, map[string]bool{} // by directory
	for _, path := range paths {
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		if call := sleeps(tree); call != "" {
			calls[dir] = path + " calls " + call
		}
		bubbles[dir] = bubbles[dir] || imports(tree, "testing/synctest")
	}
	for dir, call := range calls {
		if !bubbles[dir] && !isSuite(dir) {
			t.Errorf("%s outside a synctest bubble: wait for the event instead", call)
		}
	}
}

// sleeps returns a call in tree that waits for time to pass, or nothing.
func sleeps(tree *ast.File) (call string) {
	ast.Inspect(tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				switch sel.Sel.Name {
				case "Sleep", "After", "Tick":
					call = "time." + sel.Sel.Name
				}
			}
		}
		return call == ""
	})
	return call
}

func imports(tree *ast.File, path string) bool {
	for _, spec := range tree.Imports {
		if spec.Path.Value == `"`+path+`"` {
			return true
		}
	}
	return false
}
