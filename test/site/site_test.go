package site

import (
	"context"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"golang.org/x/net/html"

	"github.com/belfry-push/belfry/test/sandbox"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	out  = flag.String("out", "", "where to leave the site; nowhere without it")
	base = flag.String("base", "/", "the path under which it will stand")
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultClient.CloseIdleConnections() }))
}

// The site is whole: every link and anchor leads somewhere, no page loads anything
// from elsewhere, and every document is in it as it was written, and found by its
// search.
func TestSite(t *testing.T) {
	t.Parallel()
	built := build(t)
	pages := map[string]page{}
	err := fs.WalkDir(os.DirFS(built), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".html" {
			pages["/"+name] = read(t, filepath.Join(built, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range pages {
		for _, url := range p.loads {
			if strings.Contains(url, "//") {
				t.Errorf("%s loads %s", name, url)
			}
		}
		if name == "/api-reference.html" || name == "/404.html" {
			continue // Redocly's, which finds its anchors by script; a page that is shown under any path
		}
		for _, link := range p.links {
			if strings.Contains(link, ":") {
				continue // elsewhere
			}
			target, anchor, _ := strings.Cut(link, "#")
			if below, ok := strings.CutPrefix(target, *base); ok {
				target = "/" + below
			} else if strings.HasPrefix(target, "/") {
				t.Errorf("%s: the link %s leaves %s", name, link, *base)
			}
			if target == "" {
				target = name
			}
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir(name), target)
			}
			if strings.HasSuffix(target, "/") {
				target += "index.html"
			}
			if to, ok := pages[target]; !ok {
				t.Errorf("%s: the link %s leads nowhere", name, link)
			} else if anchor != "" && !to.ids[anchor] {
				t.Errorf("%s: %s has no such place", name, link)
			}
		}
	}
	documents(t, built, pages)
}

// documents wants a page for each document, reached from the index or the menu.
func documents(t *testing.T, built string, pages map[string]page) {
	t.Helper()
	reached := map[string]bool{}
	for _, p := range pages {
		for _, link := range p.links {
			target, _, _ := strings.Cut(link, "#")
			reached[strings.TrimPrefix(strings.TrimSuffix(target, ".html"), *base)] = true
		}
	}
	var index strings.Builder
	chunks, err := filepath.Glob(filepath.Join(built, "assets", "chunks", "*localSearchIndex*.js"))
	if err != nil || len(chunks) == 0 {
		t.Fatalf("there is no index for the search: %v", err)
	}
	for _, c := range chunks {
		text, err := os.ReadFile(c)
		if err != nil {
			t.Fatal(err)
		}
		index.Write(text)
	}
	err = fs.WalkDir(os.DirFS(filepath.Join("..", "..", "docs")), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(filepath.Join("..", "..", "docs")), name)
		if err != nil {
			return err
		}
		name = strings.TrimSuffix(name, ".md")
		for _, m := range span.FindAllSubmatch(fence.ReplaceAll(text, nil), -1) {
			if code := strings.ReplaceAll(string(m[1]), `\|`, "|"); !pages["/"+name+".html"].codes[code] {
				t.Errorf("docs/%s.md has `%s`, which is not on its page", name, code)
			}
		}
		if _, ok := pages["/"+name+".html"]; !ok {
			t.Errorf("the site has no page for docs/%s.md", name)
		}
		if name != "index" && !strings.HasPrefix(name, "adr/") && !reached[name] {
			t.Errorf("nothing leads to docs/%s.md", name)
		}
		if !strings.Contains(index.String(), "/"+name+".html#") && name != "index" {
			t.Errorf("the search does not know docs/%s.md", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	fence = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	span  = regexp.MustCompile("`([^`\n]+)`")
)

// page is what a page of the site has.
type page struct {
	links, loads []string
	ids, codes   map[string]bool
}

func read(t *testing.T, file string) page {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root, err := html.Parse(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	p := page{ids: map[string]bool{}, codes: map[string]bool{}}
	for n := range root.Descendants() {
		if n.Data == "code" && n.FirstChild != nil {
			p.codes[n.FirstChild.Data] = true
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id":
				p.ids[a.Val] = true
			case a.Key == "href" && n.Data == "a":
				p.links = append(p.links, a.Val)
			case a.Key == "src", a.Key == "href" && n.Data == "link":
				p.loads = append(p.loads, a.Val)
			}
		}
	}
	return p
}

// build runs both generators and returns where the site is.
func build(t *testing.T) string {
	t.Helper()
	root, err := standins.Install(t.Context(), "site")
	standins.LeaveOut(t, "the site", err)
	apidoc, err := standins.Install(t.Context(), "apidoc")
	standins.LeaveOut(t, "the site", err)
	built := *out
	if built == "" {
		built = filepath.Join(t.TempDir(), "site")
	}
	docs, err := filepath.Abs(filepath.Join("..", "..", "docs"))
	if err != nil {
		t.Fatal(err)
	}
	// A folder of its own: two builds at once would write the same files.
	work, err := os.MkdirTemp(root, "tmp-") //nolint:usetesting // where Node finds node_modules
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	if err := os.CopyFS(filepath.Join(work, ".vitepress"), os.DirFS(filepath.Join(root, ".vitepress"))); err != nil {
		t.Fatal(err)
	}
	run(t, work, []string{"SITE_DOCS=" + docs, "SITE_OUT=" + built, "SITE_BASE=" + *base},
		filepath.Join(root, "node_modules", ".bin", "vitepress"), "build")

	res, err := http.Get(sandbox.Start(t, 3, zap.NewNop()).API + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	document, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "openapi.json"), document, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, work, []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"},
		filepath.Join(apidoc, "node_modules", ".bin", "redocly"), "build-docs", "openapi.json", "--inlineBundle",
		"-o", filepath.Join(built, "api-reference.html"))
	return built
}

func run(t *testing.T, dir string, env []string, tool string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), append(env, "NO_COLOR=1", "CI=1")...)
	cmd.WaitDelay = 10 * time.Second
	if all, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(tool), err, all)
	}
}
