package apidoc

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/test/sandbox"
	"github.com/belfry-push/belfry/test/standins"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// workshop is a folder with the API's document and the tools of node_modules.
type workshop struct{ dir, root, url string }

func setup(t *testing.T) workshop {
	t.Helper()
	root, err := standins.Install(t.Context(), "apidoc")
	standins.LeaveOut(t, "checks of the API's document", err)
	w := workshop{root: root, url: sandbox.Start(t, 3, zap.NewNop()).API}
	if w.dir, err = os.MkdirTemp(root, "tmp-"); err != nil { //nolint:usetesting // where Node finds node_modules
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(w.dir) })
	r, err := http.Get(w.url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "openapi.json", text)
	return w
}

func (w workshop) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a tool of node_modules, or node itself, and returns what it printed.
func (w workshop) run(t *testing.T, tool string, args ...string) (stdout string, all string, err error) {
	t.Helper()
	path := tool
	if tool != "node" {
		path = filepath.Join(w.root, "node_modules", ".bin", tool)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = w.dir
	cmd.Env = append(cmd.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1", "CI=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	return out.String(), out.String() + errs.String(), err
}

// Neither linter has a finding, a warning or hint included.
func TestLint(t *testing.T) {
	t.Parallel()
	w := setup(t)
	out, all, err := w.run(t, "redocly", "lint", "openapi.json", "--format", "json", "--max-problems", "1000")
	var found struct {
		Totals   struct{ Errors, Warnings, Ignored int }
		Problems []json.RawMessage
	}
	if begin := strings.IndexByte(out, '{'); begin < 0 || json.Unmarshal([]byte(out[begin:]), &found) != nil {
		t.Errorf("redocly: %v: %s", err, all)
	}
	if err != nil || len(found.Problems) > 0 || found.Totals != (struct{ Errors, Warnings, Ignored int }{}) {
		t.Errorf("redocly: %v: %+v: %s", err, found.Totals, found.Problems)
	}
	if _, all, err := w.run(t, "spectral", "lint", "openapi.json", "--ruleset", filepath.Join(w.root, "spectral.yaml"),
		"--fail-severity", "hint"); err != nil {
		t.Errorf("spectral: %v: %s", err, all)
	}
}

// The TypeScript example, whose types are generated, compiles in strict mode and
// works. It is built as its own scripts say, with the tools that this folder pins.
func TestTypeScriptExample(t *testing.T) {
	t.Parallel()
	w := setup(t)
	example := filepath.Join(w.root, "..", "..", "examples", "typescript")
	for _, name := range []string{"package.json", "send.ts"} {
		text, err := os.ReadFile(filepath.Join(example, name))
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, name, text)
	}
	scripts := w.scripts(t)
	for _, name := range []string{"generate", "build"} {
		words := strings.Fields(strings.ReplaceAll(scripts[name], "http://127.0.0.1:8080/openapi.json", "openapi.json"))
		if _, all, err := w.run(t, words[0], words[1:]...); err != nil {
			t.Fatalf("npm run %s: %v: %s", name, err, all)
		}
	}
	words := strings.Fields(scripts["start"])
	out, all, err := w.run(t, words[0], append(words[1:], w.url)...)
	if err != nil {
		t.Fatalf("npm start: %v: %s", err, all)
	}
	for _, want := range []string{"accepted as ntf_", "\nsent: sent\n", "\nfcm.unregistered: permanent\n", "\nthere is no device nobody\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the example prints no %q: %s", want, all)
		}
	}
}

// scripts returns those of the example's package.json. Its packages are those that
// this folder has, in the same versions.
func (w workshop) scripts(t *testing.T) map[string]string {
	t.Helper()
	type packages struct{ Dependencies, DevDependencies, Scripts map[string]string }
	read := func(dir string) (p packages) {
		text, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err == nil {
			err = json.Unmarshal(text, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ours, its := read(w.root), read(w.dir)
	maps.Copy(its.Dependencies, its.DevDependencies)
	for name, version := range its.Dependencies {
		if ours.Dependencies[name] != version {
			t.Errorf("the example has %s %s, test/apidoc %q: give both the same", name, version, ours.Dependencies[name])
		}
	}
	return its.Scripts
}

// The page of /docs is made of the package's own files.
func TestBundle(t *testing.T) {
	t.Parallel()
	w := setup(t)
	page, err := http.Get(w.url + "/docs")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	text, _ := io.ReadAll(page.Body)
	for kind, name := range map[string]string{".js": "swagger-ui-bundle.js", ".css": "swagger-ui.css"} {
		want, err := os.ReadFile(filepath.Join(w.root, "node_modules", "swagger-ui-dist", name))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "docs/swagger-ui-")
		for !strings.HasPrefix(rest[strings.IndexByte(rest, '"')-len(kind):], kind) {
			_, rest, _ = strings.Cut(rest, "docs/swagger-ui-")
		}
		r, err := http.Get(w.url + "/docs/swagger-ui-" + rest[:strings.IndexByte(rest, '"')])
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes served, %d in the package (%v)", name, len(got), len(want), err)
		}
	}
}
