package browser

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/config"
)

// browsers are the names under which Chromium is installed.
func browsers() []string {
	return []string{"chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable"}
}

// chromium finds the browser. Without one the test is skipped, unless
// BELFRY_REQUIRE_BROWSER is set, as in CI.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range browsers() {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	say := "no browser found (" + strings.Join(browsers(), ", ") + "): install Debian's chromium"
	if required, _ := config.Environment()("BELFRY_REQUIRE_BROWSER"); required != "" {
		t.Fatal(say + ", which BELFRY_REQUIRE_BROWSER asks for")
	}
	t.Skip(say)
	return ""
}

// patience bounds one run of the browser, which takes a second or two to start
// on a machine of our own and many on one that is busy.
const patience = 2 * time.Minute

// page is a web server of somebody else's: it serves one script, and takes the
// lines that the script reports.
type page struct {
	url     string // http://127.0.0.1:port
	port    string
	reports chan string
}

func newPage(t *testing.T, script string) *page {
	t.Helper()
	p := &page{reports: make(chan string, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><title>a page</title><script type=module>\nconst said = [];\nconst say = (...words) => "+
			"said.push(words.join(' '));\n"+
			"try {\n%s\n} catch (e) { say('the page is broken:', e) }\nawait fetch('/report', {method: 'POST', body: said.join('\\n')});"+
			"\n</script>", script)
	})
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		p.reports <- b.String()
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.url = srv.URL
	p.port = srv.URL[strings.LastIndexByte(srv.URL, ':')+1:]
	return p
}

// visit opens a URL in a browser of its own until the page has reported, and
// returns the lines of the report.
func (p *page) visit(t *testing.T, url string, flags ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out bytes.Buffer
	cmd := command(ctx, t, &out, append(flags, url)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case report := <-p.reports:
		cancel()
		<-ended
		return strings.Split(report, "\n")
	case err := <-ended:
		t.Fatalf("the browser ended before the page reported: %v: %s", err, out.Bytes())
		return nil
	}
}

// dump opens a URL and returns the document that it shows.
func dump(t *testing.T, url string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := command(ctx, t, &errs, append(flags, "--dump-dom", url)...)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("browser: %v: %s", err, errs.Bytes())
	}
	return out.String()
}

// command is a browser without a window, a profile and a network of its own.
func command(ctx context.Context, t *testing.T, errs *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, chromium(t), append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
	}, args...)...)
	cmd.Stderr = errs
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
