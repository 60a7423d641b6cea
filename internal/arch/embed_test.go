package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNobodyEmbedsOptions holds that what a value is built from stays its own: a
// Config or Options embedded into a type makes every dependency and every knob of
// it readable and writable by whoever holds the value.
func TestNobodyEmbedsOptions(t *testing.T) {
	t.Parallel()

	n := 0
	for _, l := range listPackages(t) {
		for _, name := range l.GoFiles {
			n++
			path := filepath.Join(l.Dir, name)
			tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, outer := range embedsOptions(tree) {
				t.Errorf("%s: %s embeds its options: make them a field, cfg", path, outer)
			}
		}
	}
	if n == 0 {
		t.Error("found no file: nothing was checked")
	}
}

// embedsOptions returns the names of the types in tree that embed options.
func embedsOptions(tree *ast.File) (names []string) {
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			name := strings.ToLower(typeName(f.Type))
			if len(f.Names) == 0 && (strings.HasSuffix(name, "config") || strings.HasSuffix(name, "options")) {
				names = append(names, spec.Name.Name)
			}
		}
		return true
	})
	return names
}

// typeName is a type's name without package and pointer.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestEmbedsOptions(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, code string
		want       int
	}{
		{"embedded", "package p; type T struct { Config }", 1},
		{"of another package", "package p; type T struct { x int; *guard.Config }", 1},
		{"unexported", "package p; type T struct { config; sendOptions }", 2},
		{"a field", "package p; type T struct { cfg Config }", 0},
		{"inside a function", "package p; func f() { type T struct { Options } }", 1},
		{"something else", "package p; type T struct { sync.Mutex }", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, err := parser.ParseFile(token.NewFileSet(), "p.go", tt.code, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if got := embedsOptions(tree); len(got) != tt.want {
				t.Errorf("embedsOptions = %q, want %d", got, tt.want)
			}
		})
	}
}
