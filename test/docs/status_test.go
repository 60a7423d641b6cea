package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestStatusSamples: the screens of docs/status.md are those that the tests of the commands draw.
func TestStatusSamples(t *testing.T) {
	t.Parallel()
	text := document(t, "status.md")
	golden := func(path string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", "internal", "cli", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(golden("top/testdata/screens-80x24.txt"), "──── keys: \n"), "──── keys")
	for command, want := range map[string]string{"status": golden("live/testdata/outage.txt"), "top": top} {
		if block := "$ belfry " + command + " --api https://push.example.com\n" + want + "```"; !strings.Contains(text, block) {
			t.Errorf("docs/status.md does not have what belfry %s prints:\n%s", command, want)
		}
	}
}

// TestStatusWords: the table of docs/status.md has each problem that the judge can find, and no other.
func TestStatusWords(t *testing.T) {
	t.Parallel()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "internal", "status", "judge.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "What" {
				found[wording(n.Value)] = true
			}
		case *ast.AssignStmt:
			for i := range min(len(n.Lhs), len(n.Rhs)) {
				if field, ok := n.Lhs[i].(*ast.SelectorExpr); ok && field.Sel.Name == "What" {
					found[wording(n.Rhs[i])] = true
				}
			}
		}
		return true
	})
	_, table, _ := strings.Cut(document(t, "status.md"), "## What the words mean")
	rows := regexp.MustCompile(`(?m)^\| (.*?) \| .* \| (?:degraded|failing|degraded; failing) \|$`).FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		if !found[row[1]] {
			t.Errorf("no problem is called %q", row[1])
		}
		delete(found, row[1])
	}
	for what := range found {
		t.Errorf("the table of docs/status.md lacks %q", what)
	}
}

// wording is a text with … for each part that is not known before: "Check … of … fails".
func wording(e ast.Expr) string {
	var parts func(ast.Expr) string
	parts = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BinaryExpr:
			return parts(e.X) + parts(e.Y)
		case *ast.BasicLit:
			if s, err := strconv.Unquote(e.Value); err == nil {
				return s
			}
		}
		return "…"
	}
	return regexp.MustCompile(`…( ?…)+`).ReplaceAllString(parts(e), "…")
}
