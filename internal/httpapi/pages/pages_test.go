package pages

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func setup(t *testing.T) *doortest.Caller {
	t.Helper()
	return doortest.New(t, door.Config{
		Pages: doortest.OwnPages(t), Registry: prometheus.NewRegistry(), Log: zap.NewNop(),
	}, Routes("operators", "v1.2.3"))
}

// The bundle is, byte for byte, what its hashes say.
func TestBundleIsWhole(t *testing.T) {
	t.Parallel()
	sums, err := os.Open("swagger-ui/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	kept := map[string][]byte{"swagger-ui-bundle.js": swaggerScript, "swagger-ui.css": swaggerStyle}
	lines := bufio.NewScanner(sums)
	for lines.Scan() {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		text, err := unpacked(kept[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not the file of the package", name)
		}
		delete(kept, name)
	}
	if len(kept) > 0 {
		t.Errorf("no hash for %d files", len(kept))
	}
	for _, text := range []string{"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"} {
		if _, err := os.Stat("swagger-ui/" + text); err != nil {
			t.Error(err)
		}
	}
}

// The page names files that there are and nothing of other servers, and its policy
// lets nothing else in.
func TestDocumentationIsClosed(t *testing.T) {
	t.Parallel()
	c := setup(t)
	got := c.Do(t, http.MethodGet, "/docs", "", "Accept", browser).Want(t, http.StatusOK, "")
	policy := got.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; ") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	files := regexp.MustCompile(`(?:src|href)="(docs/[^"]+)"`).FindAllStringSubmatch(got.Body.String(), -1)
	if len(files) != 4 {
		t.Errorf("the page loads %v", files)
	}
	for _, f := range files {
		for _, coding := range []string{"gzip, br", ""} {
			file := c.Do(t, http.MethodGet, "/"+f[1], "", "Accept-Encoding", coding).Want(t, http.StatusOK, "")
			if zipped := file.Header().Get("Content-Encoding") == "gzip"; zipped && coding == "" || file.Body.Len() == 0 {
				t.Errorf("%s for %q: %v", f[1], coding, file.Header())
			}
		}
	}
	for _, text := range []string{got.Body.String(), string(docsScript), string(docsStyle), source, style} {
		if strings.Contains(text, "//cdn") || strings.Contains(text, "http://") || strings.Contains(text, "https://") {
			t.Errorf("names another server: %s", text)
		}
	}
	c.Do(t, http.MethodGet, "/docs/other.js", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// Every kind of problem is explained where its type points to, to people and to
// programs.
func TestEveryProblemIsExplained(t *testing.T) {
	t.Parallel()
	c := setup(t)
	for _, a := range door.Advices() {
		target := door.TypeOf(a.Code)
		got := c.Do(t, http.MethodGet, target, "", "Accept", "application/json").Want(t, http.StatusOK, "")
		var p ProblemKind
		doortest.Decode(t, got.Body.Bytes(), &p)
		if p.Code != a.Code || p.Type != target || p.Status != a.Status || p.Title == "" || p.Meaning == "" || p.Remedy == "" {
			t.Errorf("%s: %s", a.Code, got.Body)
		}
		page := c.Do(t, http.MethodGet, target, "", "Accept", browser).Want(t, http.StatusOK, "")
		if !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") || !strings.Contains(page.Body.String(), "What to do") ||
			!strings.Contains(page.Body.String(), string(a.Code)) || page.Header().Get("Vary") != "Accept" {
			t.Errorf("%s: %v %s", a.Code, page.Header(), page.Body)
		}
	}
	c.Do(t, http.MethodGet, "/problems/other", "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

func TestPeopleGetPagesAndProgramsJSON(t *testing.T) {
	t.Parallel()
	c := setup(t)
	for _, target := range []string{"/", "/problems", "/problems/conflict"} {
		for accept, want := range map[string]string{
			browser: "text/html; charset=utf-8", "*/*": "application/json", "": "application/json", "application/json": "application/json",
			"text/html;q=0.5, application/json": "application/json", "text/html": "text/html; charset=utf-8", "image/png": "application/json",
			"application/*": "application/json", "text/*": "text/html; charset=utf-8",
		} {
			if got := c.Do(t, http.MethodGet, target, "", "Accept", accept).Want(t, http.StatusOK, ""); got.Header().Get("Content-Type") != want {
				t.Errorf("%s for %q: %s, want %s", target, accept, got.Header().Get("Content-Type"), want)
			}
		}
	}
}
