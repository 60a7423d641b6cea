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
	bare    map[string]string // messages of lines without a tenant, and where
	subject int               // lines about a notification, a replay or a letter
}

// only are the keys that lines take from telemetry/about, where none comes without the trace
// and the tenant. The line of a request has its own trace.
var only = []string{"notification", "chunk", "letter", "replay", "message_id", "trace_id"}

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
	b := logbook{entries: map[entry]bool{}, keys: map[string]map[string]bool{}, bare: map[string]string{}}
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
	var around *ast.FuncDecl
	ast.Inspect(tree, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			around = f
		}
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
			b.field(f.Sel.Name, file, call, fault)
			return true
		}
		if logger(f.X) && levels[f.Sel.Name] {
			b.line(f.Sel.Name, file, call, around, fault)
		}
		return true
	})
}

func (b *logbook) field(constructor, file string, call *ast.CallExpr, fault func(string)) {
	about := strings.HasPrefix(file, "internal/telemetry/")
	if constructor == "Inline" && about {
		return
	}
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
	if slices.Contains(only, key) && !about && file != "internal/httpapi/door/log.go" {
		fault("the key " + key + " is taken from internal/telemetry/about, which adds the trace and the tenant")
	}
	if b.keys[key] == nil {
		b.keys[key] = map[string]bool{}
	}
	b.keys[key][kindOf(constructor)] = true
}

func (b *logbook) line(method, file string, call *ast.CallExpr, around *ast.FuncDecl, fault func(string)) {
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
	switch ofTenant, subject := names(call, around); {
	case subject:
		b.subject++
	case !ofTenant:
		b.bare[message] = file
	}
	b.entries[entry{level, strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "internal/"), message}] = true
}

// names reports whether a line has a tenant, and whether it is about one thing of its: by what
// it is called with, or, if that is put together before, by what stands in the function around.
func names(call *ast.CallExpr, around *ast.FuncDecl) (ofTenant, subject bool) {
	look := func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := c.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
		case name(f.X) == "about", f.Sel.Name == "about":
			subject = true
		case name(f.X) == "zap" && len(c.Args) > 0:
			key, _ := constant(c.Args[0])
			ofTenant = ofTenant || key == "tenant"
		}
		return true
	}
	ast.Inspect(call, look)
	for _, arg := range call.Args[1:] {
		if f, ok := arg.(*ast.SelectorExpr); ok && f.Sel.Name == "about" {
			subject = true
		}
	}
	receiver, local := call.Fun.(*ast.SelectorExpr).X.(*ast.Ident)
	together := call.Ellipsis.IsValid() || local && receiver.Name == "log" || call.Fun.(*ast.SelectorExpr).Sel.Name == "Check"
	if together && around != nil && around.Body != nil {
		ast.Inspect(around.Body, look)
	}
	return ofTenant, subject
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
	if b.subject < 30 {
		t.Errorf("%d lines are about a notification, a replay or a letter: the test does not see the source", b.subject)
	}
	wantTenants(t, b)
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

// wantTenants wants every line to say whose it is, but for those that are everybody's.
func wantTenants(t *testing.T, b logbook) {
	t.Helper()
	everybodys := map[string]bool{}
	for _, message := range ofEverybody() {
		everybodys[message] = true
		if b.bare[message] == "" {
			t.Errorf("%q is no line without a tenant", message)
		}
	}
	for message, file := range b.bare {
		if !everybodys[message] {
			t.Errorf("%s: %q has no tenant: take telemetry/about, or, if it is about everybody, add it to ofEverybody", file, message)
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

// ofEverybody are the lines that concern no tenant, or all of them.
func ofEverybody() []string {
	return []string{
		// Of a credential: its logger has the tenant and the app (app/dispatcher), or it is everybody's.
		"FCM access token could not be renewed; the present one is still valid",
		"FCM access token received",
		"FCM refuses the credential: nothing can be sent",
		"FCM takes the credential again",
		"no FCM access token: nothing can be sent",

		"a part of the service failed; stopping",
		"a recurring task fails; trying on",
		"a recurring task works again",
		"audit log is open",
		"breaker closed",
		"overrides of breakers can be read again",
		"a metric for CloudWatch has no number",
		"some metrics could not be gathered",
		"overrides of breakers cannot be read: keeping to those read last",
		"breaker reset",
		"pauses cannot be read: what waits for one does not say so",
		"breaker forced",
		"breaker no longer forced",
		"breaker half-open",
		"breaker not noted; simulations may not tell of it",
		"breaker opened",
		"connected again",
		"connections are refused: as many are open as may be (BELFRY_MAX_CONNECTIONS)",
		"connections are taken again",
		"database file cannot be shrunk",
		"dead letters given up by retention",
		"dead letters that hold another not taken apart yet",
		"dead letters will be given up soon; replay, export or discard them",
		"device registry not updated; trying again",
		"dead letters are drained again",
		"draining failed; trying again",
		"enqueue failed; the sweeper will send it",
		"event not encoded",
		"events not published",
		"FCM is reached through a proxy",
		"FCM names the messages that it accepts again",
		"FCM simulator is up; nothing goes to Google",
		"HTTP API is up",
		"keeping messages invisible failed",
		"log level changed",
		"more credentials than metrics have series for: those that came last are shown together, as other",
		"more tenants than metrics have series for: those with the least use are shown together, as _other",
		"more spans than the collector takes: they are dropped until it keeps up; nothing else is held up",
		"no API key is required: every caller is let in, on the loopback interface only; set BELFRY_REQUIRE_KEY=true",
		"no connection; trying on",
		"not known whether requests to FCM are held back",
		"pace cut",
		"pauses can be read again",
		"pauses cannot be read: keeping to those read last",
		"program is up",
		"queue depth unknown",
		"queue messages were lost; what they were about is sent anew or expires",
		"queue watch cannot read; receivers may wake late",
		"readiness check fails",
		"readiness check passes again",
		"messages are received again",
		"receive failed; trying again",
		"retention policy not applied; trying again",
		"settings",
		"settling messages failed; they come back",
		"shared rates can be asked for again",
		"shared rates cannot be asked for: going on with the last known share",
		"simulated outage changed",
		"simulated refusal changed",
		"simulated substitute changed",
		"simulator could not accept a connection",
		"simulator handler panicked",
		"simulator stopped serving",
		"starting",
		"stopped",
		"stopping",
		"sweep failed",
		"swept the outbox",
		"the supervisor cannot be told",
		"the AWS SDK says",
		"the clock was set ahead; nothing is removed for a day",
		"the data directory is a state of before",
		"the status of this process can be written again",
		"the status of this process cannot be written; others may take it for dead",
		"the wall clock was set, or the machine slept: deadlines and reported times have moved, durations have not",
		"the write-ahead log cannot be moved into its file, and grows; trying on",
		"the write-ahead log is moved again",
		"traces are exported",
		"what answers as FCM accepts requests without naming a message; they count as ambiguous, not as sent: is there a proxy?",
		"what happens can be followed from other processes again",
		"what happens cannot be followed from other processes",
		"what happens in other processes can be followed again",
		"what happens in other processes cannot be followed",
		"what sends learned about devices is lost; the next sends learn it again",
	}
}
