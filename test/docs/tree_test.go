package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is where the repository begins.
const root = "../.."

// tree is what the repository has that a document can name.
type tree struct {
	files   map[string]bool            // and folders, from the root
	members map[string]map[string]bool // of each package's name: what it declares, with fields and methods
	idents  map[string]bool            // every identifier of the Go code
	tests   map[string]map[string]bool // of each folder: tests, benchmarks and fuzz targets
	said    string                     // every string of the Go code, a line each
	strings strings.Builder            // the same while it is read
}

// theTree reads the repository, once.
var theTree = sync.OnceValues(readTree)

func repository(t *testing.T) *tree {
	t.Helper()
	r, err := theTree()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readTree() (*tree, error) {
	r := &tree{files: map[string]bool{}, members: map[string]map[string]bool{}, idents: map[string]bool{}, tests: map[string]map[string]bool{}}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "node_modules" || name == ".git" || name == ".bin" || name == ".cover" || name == ".site") {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		r.files[filepath.ToSlash(rel)] = true
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		r.add(path.Dir(filepath.ToSlash(rel)), parsed)
		return nil
	})
	r.said = r.strings.String()
	return r, err
}

// add takes what a file declares and says.
func (r *tree) add(folder string, file *ast.File) {
	pkg := strings.TrimSuffix(file.Name.Name, "_test")
	if r.members[pkg] == nil {
		r.members[pkg] = map[string]bool{}
	}
	if r.tests[folder] == nil {
		r.tests[folder] = map[string]bool{}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			r.members[pkg][f.Name.Name] = true
			if isTest(f.Name.Name) {
				r.tests[folder][f.Name.Name] = true
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			r.idents[n.Name] = true
		case *ast.TypeSpec:
			r.members[pkg][n.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range n.Names {
				r.members[pkg][name.Name] = true
			}
		case *ast.Field:
			for _, name := range n.Names {
				r.members[pkg][name.Name] = true
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				r.strings.WriteString(text + "\n")
			}
		}
		return true
	})
}

// isTest reports whether go test runs a function of that name.
func isTest(name string) bool {
	for _, kind := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

// page is a document, from the root.
type page struct{ name, text string }

// pages are all documents, but for the changelog: that tells of what was.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for name := range repository(t).files {
		if !strings.HasSuffix(name, ".md") || name == "CHANGELOG.md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page{name, string(text)})
	}
	const least = 20
	if len(all) < least {
		t.Fatalf("%d documents, there were %d and more", len(all), least)
	}
	return all
}
