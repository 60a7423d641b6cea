package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// root is the module's root, seen from this package, where tests run.
const root = "../.."

// listed is the part of `go list -json` that is read here.
type listed struct {
	ImportPath, Dir, Doc              string
	GoFiles, CgoFiles, IgnoredGoFiles []string
	TestGoFiles, XTestGoFiles         []string
	Imports, TestImports              []string
	XTestImports, Deps                []string
	Error                             *struct{ Err string }
}

// listPackages asks the go command for every package of the module.
func listPackages(t *testing.T) []listed {
	t.Helper()
	// -e: a package that does not build is reported here by name.
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Doc,GoFiles,CgoFiles,IgnoredGoFiles,"+
		"TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports,Deps,Error", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if l.Error != nil {
			t.Errorf("%s: %s", l.ImportPath, l.Error.Err)
			continue
		}
		all = append(all, l)
	}
}

func (l listed) pkg(t *testing.T) pkg {
	t.Helper()
	name, _ := inModule(l.ImportPath)
	p := pkg{
		name:        name,
		doc:         l.Doc,
		imports:     l.Imports,
		testImports: slices.Concat(l.TestImports, l.XTestImports),
		reached:     l.Deps,
	}
	for _, f := range slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles) {
		p.files = append(p.files, file{name: f, lines: countLines(t, filepath.Join(l.Dir, f))})
	}
	if p.doc == "" && len(l.GoFiles)+len(l.CgoFiles) == 0 {
		p.doc = testDoc(t, l)
	}
	return p
}

// testDoc finds the package comment of a package that is nothing but tests,
// which the go command does not read.
func testDoc(t *testing.T, l listed) string {
	t.Helper()
	for _, f := range slices.Concat(l.TestGoFiles, l.XTestGoFiles) {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(l.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatalf("%s/%s: %v", l.ImportPath, f, err)
		}
		if tree.Doc.Text() != "" {
			return tree.Doc.Text()
		}
	}
	return ""
}

func countLines(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

// testCode are the paths of the files that only tests run: test files, and the
// conformance suites.
func testCode(all []listed) []string {
	var paths []string
	for _, l := range all {
		files := slices.Concat(l.TestGoFiles, l.XTestGoFiles)
		if name, _ := inModule(l.ImportPath); isSuite(name) {
			files = append(files, l.GoFiles...)
		}
		for _, f := range files {
			paths = append(paths, filepath.Join(l.Dir, f))
		}
	}
	return paths
}
