package audits

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// belfry runs a command line on a terminal of 80 columns.
func belfry(t *testing.T, in string, args ...string) clitest.Result {
	t.Helper()
	var out, errs bytes.Buffer
	p := command.Program{Name: "belfry", Grammar: &struct {
		Commands Commands `embed:""`
	}{}, Env: func(string) (string, bool) { return "", false }}
	code := p.Run(t.Context(), args, &display.Console{In: strings.NewReader(in), Out: &out, Err: &errs, Width: 80})
	return clitest.Result{Code: code, Out: out.String(), Err: errs.String()}
}

// directory is a data directory in whose audit log two entries are.
func directory(t *testing.T) string {
	t.Helper()
	c := config.Store{Backend: config.BackendEmbedded, Data: filepath.Join(t.TempDir(), "data"), Visibility: 30 * time.Second}
	b, err := app.Opener(c, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"backup", "repair"} {
		e := audit.Entry{Action: action, Target: audit.Target{Kind: "store", ID: "data"}, Reason: "a test"}
		if err := app.RecordLocal(t.Context(), b.Store, "", e); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return c.Data
}

// The log of a data directory is listed, exported and verified without a server; reading it is in it.
func TestOnTheDataItself(t *testing.T) {
	t.Parallel()
	data, file := directory(t), filepath.Join(t.TempDir(), "log.ndjson")
	run := func(in, line string, code int, says ...string) clitest.Result {
		t.Helper()
		r := belfry(t, in, append([]string{"audit"}, strings.Fields(strings.ReplaceAll(line, "DATA", "--data "+data))...)...)
		r.Expect(t, code, says...)
		return r
	}
	r := run("", "list DATA", display.ExitOK, "SEQ", "backup", "repair", "local:")
	clitest.Fits(t, "audit list", r.Out, 80)
	r = run("", "list DATA --action repair --since 1h --until 2100-01-01 --limit 1 -o json", display.ExitOK)
	var list struct {
		Items []struct{ Action, Reason string }
	}
	if err := json.Unmarshal([]byte(r.Out), &list); err != nil || len(list.Items) != 1 || list.Items[0].Reason != "a test" {
		t.Errorf("%v %s", err, r.Out)
	}
	run("", "list DATA --since soon", display.ExitUsage, "--since: must be an age")
	run("", "list DATA --until soon", display.ExitUsage, "--until: must be an age")
	run("", "list DATA --limit -1", display.ExitUsage, "--limit")
	run("", "list --data /nowhere", display.ExitUsage, "there is no directory /nowhere")
	run("", "export DATA -f "+file, display.ExitOK)
	run("", "export DATA -f "+file, display.ExitFailure, "file exists")
	run("", "verify "+file, display.ExitOK, "nothing is wrong", "  head   ")
	r = run("", "verify DATA --tenant default", display.ExitOK, "nothing is wrong", "give the public key that you noted")
	clitest.Fits(t, "audit verify", r.Out, 85) // a head is a number and 64 digits

	whole := run("", "export DATA", display.ExitOK).Out
	lines := strings.SplitAfter(whole, "\n")
	for what, c := range map[string]struct {
		text string
		says string
	}{
		"edited":  {strings.Replace(whole, "a test", "no test", 1), "edited"},
		"cut off": {strings.Join(lines[:len(lines)-2], ""), "cut off"},
		"noise":   {whole + "noise\n", "malformed"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			belfry(t, c.text, "audit", "verify", "-").Expect(t, display.ExitFailure, "FINDING", c.says)
		})
	}
	run("hello", "verify -", display.ExitUsage, "no exported audit log")
	run("", "verify -", display.ExitUsage, "no exported audit log")
	run("", "verify /nowhere/x", display.ExitFailure, "no such file")
	run(whole, "verify - --head x", display.ExitUsage, "--head")
	run(whole, "verify - --key x", display.ExitUsage, "--key")
	run("", "verify DATA -o json", display.ExitOK, `"tenant"`)
}

// A key is made, and trusts nothing that another one signed.
func TestKeys(t *testing.T) {
	t.Parallel()
	data := directory(t)
	r := belfry(t, "", "audit", "key")
	r.Expect(t, display.ExitOK, "BELFRY_AUDIT_KEY=", "public: belfry-audit-public:")
	_, public, _ := strings.Cut(strings.TrimSpace(r.Out), "public: ")
	belfry(t, "", "audit", "verify", "--data", data, "--key", public).Expect(t, display.ExitFailure, "forged")
}
