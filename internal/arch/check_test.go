package arch

import (
	"strings"
	"testing"
)

// in returns a sound package with that name, to be spoilt by a case.
func in(name string, spoil func(*pkg)) pkg {
	p := pkg{name: name, doc: "Package x is for something.", imports: []string{"context"}}
	spoil(&p)
	return p
}

func imp(paths ...string) func(*pkg) {
	return func(p *pkg) { p.imports = append(p.imports, paths...) }
}

func testImp(paths ...string) func(*pkg) {
	return func(p *pkg) { p.testImports = paths }
}

func reach(paths ...string) func(*pkg) {
	return func(p *pkg) { p.reached = paths }
}

func TestCheckFinds(t *testing.T) {
	t.Parallel()

	const own = module + "/"
	tests := []struct {
		name string
		pkg  pkg
		want string
	}{
		{
			"a package in no room", in("internal/misc", imp()), "internal/misc is in no room: add it to a rule of table() in internal/arch/rules.go",
		},
		{"a suite in no room", in("internal/guard/guardtest", imp()), "add it to suites() in internal/arch/rules.go"},
		{"no package comment", in("internal/push", func(p *pkg) { p.doc = " \n" }), "internal/push has no package comment"},
		{
			"a word that imports a later word", in("internal/push", imp(own+"internal/wire")),
			"internal/push imports internal/wire: of the module, a word may import only internal/strict, internal/message, internal/regional",
		},
		{
			"a word that imports a library", in("internal/ledger", imp("go.uber.org/zap")),
			"internal/ledger imports go.uber.org/zap: from outside, a word may import only github.com/google/uuid",
		},
		{"a word that does HTTP", in("internal/wire", imp("net/http")), "internal/wire imports net/http"},
		{"a word that opens files", in("internal/push", imp("os")), "internal/push imports os"},
		{
			"a room that imports a room", in("internal/fanout", imp(own+"internal/deliver")),
			"internal/fanout imports internal/deliver: of the module, a room may import only",
		},
		{
			"a room that imports what is another's own", in("internal/outcome", imp(own+"internal/deliver/lease")),
			"internal/outcome imports internal/deliver/lease: of the module, a room may import only",
		},
		{
			"a part that imports the whole", in("internal/deliver/lease", imp(own+"internal/deliver")),
			"internal/deliver/lease imports internal/deliver: of the module, a room may import only",
		},
		{
			"a room that imports an adapter", in("internal/deliver", imp(own+"internal/adapter/fcm")),
			"internal/deliver imports internal/adapter/fcm",
		},
		{
			"a room that imports a suite", in("internal/deliver", imp(own+"internal/worker/workertest")),
			"internal/deliver imports internal/worker/workertest",
		},
		{"a room that serves", in("internal/ingest", imp("net/http/httputil")), "internal/ingest imports net/http/httputil"},
		{"a room that stores", in("internal/batch", imp("database/sql")), "internal/batch imports database/sql"},
		{
			"a room that reaches AWS through others", in("internal/replay", reach("github.com/aws/aws-sdk-go-v2/aws")),
			"internal/replay reaches github.com/aws/aws-sdk-go-v2/aws, which a room must not",
		},
		{"a room that reaches the wiring", in("internal/replay", reach(own+"internal/app")), "internal/replay reaches internal/app"},
		{
			"a room whose test imports an adapter", in("internal/outcome", testImp(own+"internal/adapter/sqlite")),
			"a test of internal/outcome imports internal/adapter/sqlite: the tests of a room may import only internal/outcome, internal/strict, " +
				"internal/message",
		},
		{"machinery that imports a room", in("internal/worker", imp(own+"internal/deliver")), "internal/worker imports internal/deliver"},
		{
			"an adapter that imports a room", in("internal/adapter/sqlite", imp(own+"internal/device")),
			"internal/adapter/sqlite imports internal/device: of the module, an adapter may import only",
		},
		{
			"an adapter that reaches another's SDK", in("internal/adapter/dynamo", reach("modernc.org/sqlite")),
			"internal/adapter/dynamo reaches modernc.org/sqlite",
		},
		{
			"an adapter that imports another", in("internal/adapter/sns", imp(own+"internal/adapter/sqs")),
			"internal/adapter/sns imports internal/adapter/sqs",
		},
		{
			"a suite that reaches an adapter", in("internal/device/devicetest", reach(own+"internal/adapter/sqlite")),
			"internal/device/devicetest reaches internal/adapter/sqlite",
		},
		{
			"an edge that reaches an SDK", in("internal/httpapi", reach("firebase.google.com/go/v4")),
			"internal/httpapi reaches firebase.google.com/go/v4",
		},
		{"a main that wires", in("cmd/dispatcher", imp(own+"internal/adapter/fcm")), "cmd/dispatcher imports internal/adapter/fcm"},
		{
			"a program that does not send and contains what sends", in("cmd/ingest", reach("google.golang.org/grpc/codes")),
			"cmd/ingest reaches google.golang.org/grpc/codes, which the main of ingest must not",
		},
		{
			"a command line that contains the sender", in("cmd/dlq-replayer", reach(own+"internal/adapter/fcm")),
			"cmd/dlq-replayer reaches internal/adapter/fcm",
		},
		{
			"a dispatcher with a simulator", in("cmd/dispatcher", reach(own+"internal/fcmsim/sendapi")),
			"cmd/dispatcher reaches internal/fcmsim/sendapi",
		},
		{"a service with commands", in("cmd/ingest", imp(own+"internal/cli/belfry")), "cmd/ingest imports internal/cli/belfry"},
		{"a client that shows the inside", in("client", imp(own+"internal/push")), "client imports internal/push"},
		{
			"a main that is no doorbell", in("cmd/belfry", func(p *pkg) { p.files = []file{{"main.go", 61}} }),
			"cmd/belfry/main.go has 61 lines, more than 60",
		},
		{
			"a long file", in("internal/app", func(p *pkg) { p.files = []file{{"app.go", 601}} }),
			"internal/app/app.go has 601 lines, more than 600",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			faults := check(table(), tt.pkg)
			if len(faults) != 1 || !strings.Contains(faults[0], tt.want) {
				t.Errorf("faults = %q, want one with %q", faults, tt.want)
			}
		})
	}
}

func TestCheckLetsPass(t *testing.T) {
	t.Parallel()

	const own = module + "/"
	tests := []struct {
		name string
		pkg  pkg
	}{
		{"a word on the words before it", in("internal/wire", imp(own+"internal/push", own+"internal/ledger", "encoding/json"))},
		{"a word with ids", in("internal/push", imp("github.com/google/uuid"))},
		{"a word whose test uses a library", in("internal/push", testImp("pgregory.net/rapid", module+"/internal/push", "os"))},
		{
			"a room on words, machinery and libraries",
			in("internal/deliver", imp(own+"internal/push", own+"internal/guard", own+"internal/worker", "go.uber.org/zap")),
		},
		{"deliver on its own rooms", in("internal/deliver", imp(own+"internal/deliver/lease", own+"internal/deliver/brake"))},
		{"replays of letters", in("internal/replay", imp(own+"internal/letters"))},
		{"replays of what was predicted", in("internal/replay", imp(own+"internal/replay/predict"))},
		{"a room whose test runs a suite", in("internal/device", testImp(own+"internal/device/devicetest", own+"internal/device"))},
		{"HTTP reached through the metrics library", in("internal/deliver", reach("net/http", "github.com/prometheus/client_golang/prometheus"))},
		{
			"an adapter with its SDK and the queue's message",
			in("internal/adapter/sqs", imp("github.com/aws/aws-sdk-go-v2/service/sqs", own+"internal/worker")),
		},
		{"an adapter whose test runs a suite", in("internal/adapter/dynamo", testImp(own+"internal/device/devicetest", own+"internal/device"))},
		{"the wiring", in("internal/app", imp(own+"internal/deliver", own+"internal/adapter/sqlite", own+"internal/httpapi"))},
		{"a doorbell", in("cmd/belfry", func(p *pkg) {
			p.files = []file{{"main.go", 60}}
			p.imports = []string{"os", own + "internal/app/allinone", own + "internal/cli/belfry", own + "internal/config"}
		})},
		{"an end-to-end test", in("test/e2e", testImp(own+"internal/app", own+"client"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if faults := check(table(), tt.pkg); len(faults) != 0 {
				t.Errorf("faults = %q, want none", faults)
			}
		})
	}
}

func TestSuitesAreNamedAfterTheirRoom(t *testing.T) {
	t.Parallel()

	for _, name := range suites() {
		if !isSuite(name) {
			t.Errorf("%s is no <room>/<room>test", name)
		}
		if r, _ := ruleFor(table(), name); r.layer != "a suite" {
			t.Errorf("%s is covered as %s", name, r.layer)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()

	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"internal/push", "internal/push", true},
		{"internal/push", "internal/push/pushtest", false},
		{"internal/adapter/...", "internal/adapter", true},
		{"internal/adapter/...", "internal/adapter/fcm", true},
		{"internal/adapter/...", "internal/adapters", false},
		{"net/http/...", "net/http", true},
		{"net/http/...", "net/httputil", false},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := matchAny([]string{tt.pattern}, tt.name); got != tt.want {
				t.Errorf("%s matches %s: %v, want %v", tt.pattern, tt.name, got, tt.want)
			}
		})
	}
}
