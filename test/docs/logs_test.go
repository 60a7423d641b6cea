package docs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entry is a line of the log as the source has it.
type entry struct{ level, part, message string }

// logbook is what the source logs.
type logbook struct {
	entries map[entry]bool
	keys    map[string]map[string]bool // with the kinds of their values
	faults  []string
}

// levels are the methods of a logger that write a line.
var levels = map[string]bool{
	"Debug": true, "Info": true, "Warn": true, "Error": true, "Check": true,
	"DPanic": true, "Panic": true, "Fatal": true,
}

// kindOf is what a constructor of a field makes of a value for a reader.
func kindOf(constructor string) string {
	switch constructor {
	case "Int", "Int64", "Uint64":
		return "number"
	case "Stringer", "ByteString":
		return "String"
	}
	return constructor
}

// readLogbook walks the source of the programs. A call is one of a logger if what it is
// called on ends in log or logger, in a file that imports zap.
func readLogbook(t *testing.T) logbook {
	t.Helper()
	b := logbook{entries: map[entry]bool{}, keys: map[string]map[string]bool{}}
	for file := range repository(t).files {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
			!strings.HasPrefix(file, "internal/") && !strings.HasPrefix(file, "cmd/") {
			continue
		}
		b.read(t, file)
	}
	return b
}

func (b *logbook) read(t *testing.T, file string) {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(tree.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"go.uber.org/zap"` }) {
		return
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		fault := func(what string) { b.faults = append(b.faults, fmt.Sprintf("%s: %s", fset.Position(call.Pos()), what)) }
		if name(f.X) == "zap" {
			b.field(f.Sel.Name, call, fault)
			return true
		}
		if logger(f.X) && levels[f.Sel.Name] {
			b.line(f.Sel.Name, file, call, fault)
		}
		return true
	})
}

func (b *logbook) field(constructor string, call *ast.CallExpr, fault func(string)) {
	switch constructor {
	case "Error", "Skip", "New", "NewNop", "NewAtomicLevelAt", "NewStdLogAt", "NewStdLog",
		"Fields", "WithClock", "AddStacktrace", "AddCaller", "WrapCore":
		return // no key
	case "Any", "Reflect", "Object", "Inline", "Array", "Objects", "Binary", "NamedError":
		fault("zap." + constructor + " may print anything; say what it is")
		return
	}
	key, ok := constant(call.Args[0])
	if !ok {
		if name(call.Args[0]) != "amount" { // of package telemetry, which takes the keys of others
			fault("the key is no constant")
		}
		return
	}
	if b.keys[key] == nil {
		b.keys[key] = map[string]bool{}
	}
	b.keys[key][kindOf(constructor)] = true
}

func (b *logbook) line(method, file string, call *ast.CallExpr, fault func(string)) {
	at, level := 0, strings.ToLower(method)
	if method == "Check" {
		at, level = 1, "any"
	}
	if len(call.Args) <= at {
		fault("no message")
		return
	}
	message, ok := constant(call.Args[at])
	if !ok {
		fault("the message is no constant")
		return
	}
	b.entries[entry{level, strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "internal/"), message}] = true
}

// logger reports whether an expression is a logger by its name.
func logger(x ast.Expr) bool {
	if call, ok := x.(*ast.CallExpr); ok { // log.With(…).Info
		f, ok := call.Fun.(*ast.SelectorExpr)
		return ok && logger(f.X)
	}
	n := strings.ToLower(name(x))
	return strings.HasSuffix(n, "log") || strings.HasSuffix(n, "logger")
}

// name is the last name of an expression.
func name(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

func constant(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		left, ok := constant(x.X)
		right, also := constant(x.Y)
		return left + right, ok && also
	}
	return "", false
}

const (
	linesBegin = "<!-- lines: written by go test ./test/docs -run TestLog -update -->\n"
	linesEnd   = "<!-- end of lines -->\n"
)

var keyRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\|$")

// TestLog holds docs/logs.md to the source: it lists every key and no other, each of one
// kind, and has the table of all messages.
func TestLog(t *testing.T) {
	t.Parallel()
	b := readLogbook(t)
	for _, f := range b.faults {
		t.Error(f)
	}
	if len(b.entries) < 80 || len(b.keys) < 60 {
		t.Errorf("found %d messages and %d keys: the test does not see the source", len(b.entries), len(b.keys))
	}
	path := filepath.Join(root, "docs", "logs.md")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	known := map[string]bool{"error": true}
	before := ""
	_, list, _ := strings.Cut(text, "\n## Keys\n")
	for _, m := range keyRow.FindAllStringSubmatch(list, -1) {
		known[m[1]] = true
		if m[1] <= before {
			t.Errorf("key %s is not in order", m[1])
		}
		before = m[1]
		if b.keys[m[1]] == nil && m[1] != "error" {
			t.Errorf("no line of the log has the key %s", m[1])
		}
	}
	for key, kinds := range b.keys {
		if !known[key] {
			t.Errorf("key %s is not in the list of docs/logs.md", key)
		}
		if len(kinds) > 1 {
			t.Errorf("key %s is of several kinds: %v", key, kinds)
		}
	}
	wantShown(t, text, b)
	want := linesBegin + messages(b.entries) + linesEnd
	from, to := strings.Index(text, linesBegin), strings.Index(text, linesEnd)
	if from < 0 || to < from {
		t.Fatal("docs/logs.md has no place for the lines")
	}
	if got := text[from : to+len(linesEnd)]; got != want {
		if !*update {
			t.Error("the table of lines is not what the source has: run go test ./test/docs -run TestLog -update")
			return
		}
		if err := os.WriteFile(path, []byte(text[:from]+want+text[to+len(linesEnd):]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// wantShown wants the lines of the log that the page shows to be some that the source has.
func wantShown(t *testing.T, text string, b logbook) {
	t.Helper()
	messages := map[string]bool{}
	for e := range b.entries {
		messages[e.message] = true
	}
	shown := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		shown++
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if message, _ := l["msg"].(string); !messages[message] {
			t.Errorf("no part logs %q", message)
		}
		for key := range l {
			if b.keys[key] == nil && !slices.Contains([]string{"time", "level", "logger", "msg", "error"}, key) {
				t.Errorf("no line has the key %s: %s", key, line)
			}
		}
	}
	if shown < 5 {
		t.Errorf("the page shows %d lines of a log", shown)
	}
}

// messages is the table of all lines, the worst first.
func messages(entries map[entry]bool) string {
	var rows []entry
	for e := range entries {
		rows = append(rows, e)
	}
	order := []string{"error", "warn", "info", "any", "debug"}
	slices.SortFunc(rows, func(x, y entry) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.level), slices.Index(order, y.level)),
			strings.Compare(x.part, y.part), strings.Compare(x.message, y.message))
	})
	var s strings.Builder
	s.WriteString("| level | part | line |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&s, "| %s | %s | %s |\n", r.level, r.part, r.message)
	}
	return s.String()
}
