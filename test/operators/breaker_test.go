package operators

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

var commands programs.Programs

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run)) }

const key = "a-key-of-this-test-alone"

// TestBreaker holds a credential's breaker over the API and on the data directory, in turn: the other way sees it, and the audit
// log has every change with who made it and why.
func TestBreaker(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	env := []string{
		"BELFRY_DATA=" + data, "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json", "BELFRY_API_KEY=" + key,
	}
	_, rest := commands.Start(t, `"msg":"HTTP API is up","listen":"`, "belfry", env, "up", "--sandbox")
	listen, _, _ := strings.Cut(rest, `"`)
	ways := map[string][]string{"api": {"--api", "http://" + listen, "--api-key", key}, "data": {"--data", data}}
	belfry := func(way string, args ...string) string {
		t.Helper()
		return string(commands.Output(t, "belfry", []string{"BELFRY_API_KEY="}, append(args, ways[way]...)...))
	}
	list := func(way string) (all []client.Breaker) {
		t.Helper()
		for line := range strings.Lines(belfry(way, "breaker", "list", "-o", "json")) {
			var b client.Breaker
			if err := json.Unmarshal([]byte(line), &b); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, b)
		}
		return all
	}
	programs.WaitFor(t, "a credential that is known", func() bool { return len(list("data")) == 1 })
	name := list("data")[0].Credential

	var want []string
	for i, step := range []struct{ way, do, reason, says, state string }{
		{"data", "open", "FCM incident 42", "forced open until 20", "open"},
		{"api", "close", "FCM is back", "forced closed until 20", "closed"},
		{"data", "reset", "it is over", "decides by itself", ""},
		{"api", "open", "once more", "forced open until 20", "open"},
		{"data", "close", "no, it is well", "forced closed until 20", "closed"},
		{"api", "reset", "", "decides by itself", ""},
	} {
		args := []string{"breaker", step.do, name, "--reason", step.reason}
		if step.reason == "" {
			args = args[:3]
		}
		if step.do != "reset" {
			args = append(args, "--for", "30m")
		}
		if out := belfry(step.way, args...); !strings.Contains(out, name+": its breaker") || !strings.Contains(out, step.says) {
			t.Errorf("step %d, %s by %s: %s", i, step.do, step.way, out)
		}
		for way := range ways {
			all := list(way)
			if len(all) != 1 || (all[0].Override == nil) != (step.state == "") {
				t.Fatalf("after step %d by %s, %s shows %+v", i, step.way, way, all)
			}
			if o := all[0].Override; o != nil && (o.State != step.state || o.Reason != step.reason || o.Until == nil) {
				t.Errorf("after step %d by %s, %s shows %+v", i, step.way, way, o)
			}
		}
		want = append(want, fmt.Sprintf("%sBreaker %s %q by %s", step.do, name, step.reason, step.way))
	}
	for way := range ways {
		lines := belfry(way, "audit", "list", "--target", "breakers", "--kind", "change", "--limit", "0", "-o", "ndjson")
		if got := audited(t, lines); !slices.Equal(got, want) {
			t.Errorf("the audit log by %s has\n%s\nwant\n%s", way, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// audited are entries of the audit log, the oldest first: what was done, to what, why, and by which way.
func audited(t *testing.T, lines string) (all []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e client.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		way := e.Who.Name
		switch {
		case strings.HasPrefix(way, "local:"):
			way = "data"
		case strings.HasPrefix(way, "key:"):
			way = "api"
		}
		target := ""
		if e.Target != nil {
			target = e.Target.ID
		}
		all = append(all, fmt.Sprintf("%s %s %q by %s", e.Action, target, e.Reason, way))
	}
	slices.Reverse(all)
	return all
}
