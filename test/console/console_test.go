package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/test/sandbox"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	into    = flag.String("into", "", "a folder in which to leave what was built; none without it")
	budgets = flag.Bool("budgets", false, "measure first paint, memory and what open consoles cost the server, too, which takes minutes")
	shots   = flag.String("shots", "", "a folder in which to leave pictures of the screens; none without it")
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// budget is how many bytes a browser loads at its first visit, compressed, at most.
const budget = 250 << 10

// once is what is built once for all tests of the process.
var once struct {
	sync.Once

	web, dist string
}

// built returns web/, with its packages and the types of the API, and a folder with the console built from it.
func built(t *testing.T) (web, dist string) {
	t.Helper()
	once.Do(func() {
		at, err := standins.Install(t.Context(), filepath.Join("..", "web"))
		standins.LeaveOut(t, "the console", err)
		document(t, filepath.Join(at, "src", "api", "openapi.json"))
		run(t, at, nil, "openapi-typescript", "src/api/openapi.json", "-o", "src/api/schema.d.ts")
		out := *into
		if out == "" {
			if out, err = os.MkdirTemp("", "belfry-console-"); err != nil { //nolint:usetesting // outlives the test that is first
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(filepath.Join(out, "assets")); err != nil {
			t.Fatal(err)
		}
		run(t, at, []string{"BELFRY_UI_OUT=" + out}, "vite", "build", "--logLevel", "warn")
		once.web, once.dist = at, out
	})
	if once.dist == "" {
		t.Skip("the console was not built")
	}
	return once.web, once.dist
}

// document writes the API's document, from which the types are made.
func document(t *testing.T, at string) {
	t.Helper()
	r, err := http.Get(sandbox.Start(t, 3, zap.NewNop()).API + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("the document: %d %v", r.StatusCode, err)
	}
	if err := os.WriteFile(at, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a tool of node_modules, or node itself, and returns what it printed.
func run(t *testing.T, dir string, env []string, tool string, args ...string) string {
	t.Helper()
	path := tool
	if tool != "node" && tool != "go" {
		path = filepath.Join(dir, "node_modules", ".bin", tool)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), append(env, "NO_COLOR=1", "CI=1")...)
	cmd.WaitDelay = 10 * time.Second
	all, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(tool), err, all)
	}
	return string(all)
}

// What is built is small enough, and the page has no script or style within it and loads nothing from elsewhere.
func TestBuild(t *testing.T) { //nolint:paralleltest // the tests share web/
	_, dist := built(t)
	page, err := os.ReadFile(filepath.Join(dist, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<style", "//", "<script>"} {
		if strings.Contains(string(page), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	err = fs.WalkDir(os.DirFS(dist), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == ".gitignore" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dist, name))
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if z.Len() > budget || z.Len() < budget/20 {
		t.Errorf("%d bytes compressed, of %d", z.Len(), budget)
	}
}

// The source has the types of the API, the style of the house, and what no browser shows.
func TestSource(t *testing.T) { //nolint:paralleltest // as above
	web, _ := built(t)
	run(t, web, nil, "tsc", "--noEmit")
	run(t, web, nil, "eslint", ".")
	run(t, web, nil, "prettier", "--check", ".")
	run(t, web, nil, "vitest", "run")
}

// What the files of checks beside this import, and the one that measures.
const (
	shared   = "console.mjs"
	measures = "budget.mjs"
)

// The console works in a browser: what each file of checks beside this does and looks for.
func TestScreens(t *testing.T) { //nolint:paralleltest // as above
	chromium := browser(t)
	web, dist := built(t)
	program := belfry(t, dist)
	// Node finds packages from where a script is. No Go file goes along: it would be a package of the module while this runs.
	dir, err := os.MkdirTemp(web, "tmp-checks-") //nolint:usetesting // as said
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	files, err := filepath.Glob("*.mjs")
	if err != nil || len(files) < 2 {
		t.Fatalf("checks: %v %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files { //nolint:paralleltest // each has a browser of its own
		if name == shared || name == measures && !*budgets {
			continue
		}
		t.Run(strings.TrimSuffix(name, ".mjs"), func(t *testing.T) {
			env := []string{"BELFRY=" + program, "CHROMIUM=" + chromium, "DATA=" + t.TempDir(), "SHOTS=" + *shots}
			for line := range strings.Lines(run(t, dir, env, "node", "--test", "--test-reporter=tap", name)) {
				if said, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok && strings.Contains(said, ": ") {
					t.Log(said) // what was measured; the names of checks, too
				}
			}
		})
	}
}

// belfry builds the program with the console in it, without a change of what lies in the source.
func belfry(t *testing.T, dist string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	err = fs.WalkDir(os.DirFS(dist), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != ".gitignore" {
			replace[filepath.Join(root, "internal", "httpapi", "console", "dist", name)] = filepath.Join(dist, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, root, nil, "go", "build", "-ldflags=-w", "-overlay", overlay, "-o", filepath.Join(dir, "belfry"), "./cmd/belfry")
	return filepath.Join(dir, "belfry")
}

// browser finds Chromium. Without it the test is skipped, unless BELFRY_REQUIRE_BROWSER is set.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const say = "no browser found: install Debian's chromium"
	if required, _ := config.Environment()("BELFRY_REQUIRE_BROWSER"); required != "" {
		t.Fatal(say)
	}
	t.Skip(say)
	return ""
}
