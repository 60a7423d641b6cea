package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// awake are the tests that sleep outside of a synctest bubble, each with its
// reason.
func awake() map[string]string {
	return map[string]string{
		"internal/deliver.BenchmarkDeliver": "it measures real time: 50 ms is what a request to FCM takes",

		"test/busy.TestNothingIsFlaggedOnABusyMachine": "its disk is real, and busy: bulk writes and requests to FCM take their time",
	}
}

// TestSleepersUseABubble stands in for the linter in tests, where it lets
// time.Sleep and its kin pass because in a synctest bubble they cost no time: each
// test whose code sleeps must do so in a bubble, or be in awake.
func TestSleepersUseABubble(t *testing.T) {
	t.Parallel()

	files, dirs := token.NewFileSet(), map[string][]*ast.File{}
	for _, path := range testCode(listPackages(t)) {
		tree, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dirs[filepath.Dir(path)] = append(dirs[filepath.Dir(path)], tree)
	}
	if len(dirs) == 0 {
		t.Fatal("found no test file: nothing was checked")
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	listed := awake()
	for dir, trees := range dirs {
		name, err := filepath.Rel(base, dir)
		if err != nil {
			t.Fatal(err)
		}
		for test, at := range newSleepers(trees).find(isSuite(name)) {
			test := filepath.ToSlash(name) + "." + test
			if _, ok := listed[test]; !ok {
				t.Errorf("%s sleeps outside a synctest bubble (%s): wait for the event instead", test, files.Position(at))
			}
			delete(listed, test)
		}
	}
	for test := range listed {
		t.Errorf("%s does not sleep outside a bubble: take it off the list", test)
	}
}

// sleepers looks for tests that sleep in the test code of a package. It goes by
// names, without types: an unexported method is every one of that name, and an
// exported one is called, by what is tested, of every fake that is made. What is
// called somewhere else than where it is written (a function in a table or in a
// variable, a method of a fake) counts as called in a bubble if the test makes one.
type sleepers struct {
	funcs   map[string][]*ast.FuncDecl // functions by name
	methods map[string][]*ast.FuncDecl // unexported methods by name
	types   map[string][]*ast.FuncDecl // exported methods by type
}

func newSleepers(trees []*ast.File) *sleepers {
	s := &sleepers{map[string][]*ast.FuncDecl{}, map[string][]*ast.FuncDecl{}, map[string][]*ast.FuncDecl{}}
	for _, tree := range trees {
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			by, name := s.funcs, f.Name.Name
			switch {
			case f.Recv != nil && f.Name.IsExported():
				by, name = s.types, receiver(f.Recv.List[0].Type)
			case f.Recv != nil:
				by = s.methods
			}
			by[name] = append(by[name], f)
		}
	}
	return s
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// find returns the tests that sleep outside of a bubble, and where they do. In a
// suite, what it exports are its tests.
func (s *sleepers) find(suite bool) map[string]token.Pos {
	found := map[string]token.Pos{}
	for name, decls := range s.funcs {
		for _, f := range decls {
			if isTest(name) || suite && ast.IsExported(name) {
				w := &walk{sleepers: s, makes: s.makesBubble(f, map[*ast.FuncDecl]bool{}), seen: map[*ast.FuncDecl]bool{}}
				w.enter(f)
				if w.at.IsValid() {
					found[name] = w.at
				}
			}
		}
	}
	return found
}

func isTest(name string) bool {
	return slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz", "Example"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// makesBubble reports whether f, or what it calls, calls synctest.Test.
func (s *sleepers) makesBubble(f *ast.FuncDecl, seen map[*ast.FuncDecl]bool) (makes bool) {
	if seen[f] {
		return false
	}
	seen[f] = true
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && !makes {
			makes = isCall(call, "synctest", "Test") || slices.ContainsFunc(s.called(call), func(f *ast.FuncDecl) bool {
				return s.makesBubble(f, seen)
			})
		}
		return !makes
	})
	return makes
}

// called returns what a call may call in this package.
func (s *sleepers) called(call *ast.CallExpr) []*ast.FuncDecl {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return s.funcs[f.Name]
	case *ast.SelectorExpr:
		return s.methods[f.Sel.Name]
	}
	return nil
}

func isCall(call *ast.CallExpr, pkg string, names ...string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, sel.Sel.Name)
}

// walk follows what a test runs outside of bubbles, until it finds a call that
// sleeps.
type walk struct {
	*sleepers

	makes bool // the test makes a bubble
	seen  map[*ast.FuncDecl]bool
	at    token.Pos
}

func (w *walk) enter(f *ast.FuncDecl) {
	if !w.seen[f] {
		w.seen[f] = true
		w.follow(f.Body, nil)
	}
}

// follow goes through a node. direct are functions written there that are called
// there, too.
func (w *walk) follow(n ast.Node, direct map[ast.Node]bool) {
	if direct == nil {
		direct = map[ast.Node]bool{}
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			return w.call(n, direct)
		case *ast.FuncLit:
			return !w.makes || direct[n]
		case *ast.CompositeLit:
			w.later(w.types[receiver(n.Type)])
		case *ast.SelectorExpr:
			w.follow(n.X, direct)
			return false
		case *ast.Ident:
			if !direct[n] {
				w.later(w.funcs[n.Name])
			}
		}
		return true
	})
}

// call looks at a call, and reports whether to look at its parts.
func (w *walk) call(call *ast.CallExpr, direct map[ast.Node]bool) bool {
	if isCall(call, "time", "Sleep", "After", "Tick") && !w.at.IsValid() {
		w.at = call.Pos()
	}
	if isCall(call, "synctest", "Test") {
		return false
	}
	callees := w.called(call)
	for _, f := range callees {
		w.enter(f)
	}
	direct[call.Fun] = true
	if slices.ContainsFunc(callees, func(f *ast.FuncDecl) bool { return w.makesBubble(f, map[*ast.FuncDecl]bool{}) }) {
		return false // its arguments are for the bubble
	}
	if converts(call) {
		return true
	}
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.FuncLit); ok {
			direct[lit] = true
		}
	}
	return true
}

// converts reports whether the call makes a function a type like http.HandlerFunc,
// for somebody to call it later.
func converts(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && strings.HasSuffix(sel.Sel.Name, "Func")
}

// later follows functions that somebody else will call.
func (w *walk) later(funcs []*ast.FuncDecl) {
	if w.makes {
		return
	}
	for _, f := range funcs {
		w.enter(f)
	}
}

func TestSleepers(t *testing.T) {
	t.Parallel()

	const bubble = `func in(t *testing.T, f func()) { synctest.Test(t, func(*testing.T) { f() }) }; `
	tests := []struct {
		name, code string
		suite      bool
		want       []string
	}{
		{name: "a test sleeps", code: "func TestA() { time.Sleep(1) }", want: []string{"TestA"}},
		{
			name: "so does its neighbour, in a bubble",
			code: "func TestA() { time.Sleep(1) }; func TestB() { synctest.Test(t, func() { time.Sleep(1) }) }",
			want: []string{"TestA"},
		},
		{name: "before the bubble", code: "func TestA() { time.Sleep(1); synctest.Test(t, func() {}) }", want: []string{"TestA"}},
		{name: "in a select", code: "func TestA() { select { case <-time.After(1): } }", want: []string{"TestA"}},
		{name: "in a goroutine", code: "func TestA() { go func() { time.Sleep(1) }() }", want: []string{"TestA"}},
		{name: "in a subtest", code: `func TestA() { t.Run("x", func() { time.Sleep(1) }) }`, want: []string{"TestA"}},
		{
			name: "in a subtest, beside a bubble",
			code: `func TestA() { t.Run("x", func() { time.Sleep(1) }); synctest.Test(t, func() {}) }`,
			want: []string{"TestA"},
		},
		{name: "in what it calls", code: "func TestA() { f() }; func f() { g() }; func g() { <-time.Tick(1) }", want: []string{"TestA"}},
		{
			name: "in a method",
			code: "func TestA() { var w world; w.f() }; type world int; func (w *world) f() { time.Sleep(1) }",
			want: []string{"TestA"},
		},
		{
			name: "a method that others call",
			code: "func TestA() { use(slow{}) }; type slow struct{}; func (slow) Get() { time.Sleep(1) }",
			want: []string{"TestA"},
		},
		{name: "in a table", code: "func TestA() { for range []func(){func() { time.Sleep(1) }} {} }", want: []string{"TestA"}},
		{name: "a function as a value", code: "func TestA() { use(f) }; func f() { time.Sleep(1) }", want: []string{"TestA"}},
		{
			name: "in a table for a bubble",
			code: "func TestA() { for _, f := range []func(){func() { time.Sleep(1) }} { synctest.Test(t, f) } }",
		},
		{
			name: "a fake in a bubble",
			code: "func TestA() { synctest.Test(t, func() { use(slow{}) }) }; type slow struct{}; func (slow) Get() { time.Sleep(1) }",
		},
		{name: "through a helper that makes a bubble", code: bubble + "func TestA() { in(t, func() { time.Sleep(1) }) }"},
		{name: "beside such a helper", code: bubble + "func TestA() { in(t, nil); time.Sleep(1) }", want: []string{"TestA"}},
		{
			name: "in a bubble below",
			code: bubble + "func TestA() { f() }; func f() { in(t, func() { g() }) }; func g() { time.Sleep(1) }",
		},
		{name: "a benchmark", code: "func BenchmarkA() { time.Sleep(1) }", want: []string{"BenchmarkA"}},
		{name: "a suite", code: "func Run() { time.Sleep(1) }", suite: true, want: []string{"Run"}},
		{name: "a method of that name", code: "func TestA() { fake.Sleep(1) }"},
		{name: "a timer", code: "func TestA() { time.NewTimer(1) }"},
		{
			name: "a handler of what runs in a bubble",
			code: "func TestA() { h := x.HandlerFunc(func() { time.Sleep(1) }); synctest.Test(t, func() { use(h) }) }",
		},
		{
			name: "a handler without a bubble",
			code: "func TestA() { h := x.HandlerFunc(func() { time.Sleep(1) }); use(h) }",
			want: []string{"TestA"},
		},
		{name: "a field of the name", code: "func TestA() { use(x.f) }; type w int; func (w) f() { time.Sleep(1) }"},
		{name: "nobody's", code: "func f() { time.Sleep(1) }; func TestA() {}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p; "+tt.code, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(newSleepers([]*ast.File{tree}).find(tt.suite)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}
