package docs

import (
	"encoding/json"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

var (
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	inline   = regexp.MustCompile("`([^`\n]+)`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headline = regexp.MustCompile(`(?m)^#+ (.*)$`)
	folder   = regexp.MustCompile(`^(?:\./)?((?:internal|cmd|client|test|docs|infra|adapter|cli)/[\w./-]+?)(?:/\.\.\.|/\*|/)?$`)
	goFile   = regexp.MustCompile(`^[\w]+\.go$`)
	member   = regexp.MustCompile(`^([a-z][a-z0-9]*)((?:\.[A-Z]\w*)+)(?:\(.*\))?$`)
	exported = regexp.MustCompile(`^[A-Z][a-z]+(?:[A-Z][a-z]+)*$`)
	goTest   = regexp.MustCompile(`go test ((?:-\w+(?: (?:'[^']*'|[^\s-][^\s]*))? )*)(\./[\w./]+)`)
	selects  = regexp.MustCompile(`-(?:run|bench) '?([^'\s]+)'?`)
	makes    = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	environ  = regexp.MustCompile(`\b(?:BELFRY|AWS)_[A-Z0-9_]*[A-Z0-9]\b`)
	metric   = regexp.MustCompile(`\bbelfry_[a-z_]+[a-z]\b`)
	event    = regexp.MustCompile(`\bpush\.[a-z_.]+\.v\d+\b`)
	route    = regexp.MustCompile(`\b(GET|PUT|POST|PATCH|DELETE) (/[a-z][\w/{}.:-]*)`)
	control  = regexp.MustCompile(`(?m)^(?:GET|POST) (?:/_sim/(?:stats|accepted)|(/_sim/\w+))$`)
	code     = regexp.MustCompile("`((?:fcm|net|device|user|cap)\\.[a-z_]+)`")
)

// elsewhere are names that are not ours and that our code does not use.
var elsewhere = map[string]bool{"StartMessageMoveTask": true} // SQS

// spans are the words of a page in code type, in order; fenced blocks are not
// among them.
func (p page) spans() []string {
	var all []string
	for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		all = append(all, m[1])
	}
	return all
}

// TestFilesAreThere wants every folder and file that a document names or links to,
// and every heading. A Go file without its folder is in that of the path before it.
func TestFilesAreThere(t *testing.T) {
	t.Parallel()
	r := repository(t)
	for _, p := range pages(t) {
		at := ""
		for _, s := range p.spans() {
			if m := folder.FindStringSubmatch(s); m != nil {
				at = strings.TrimSuffix(m[1], "/")
				if !r.files[at] {
					at = "internal/" + at
				}
				if !r.files[at] {
					t.Errorf("%s: there is no %s", p.name, s)
				}
				if path.Ext(at) != "" {
					at = path.Dir(at)
				}
			} else if goFile.MatchString(s) && !r.files[path.Join(at, s)] {
				t.Errorf("%s: %s is not in %s, the folder named before it", p.name, s, at)
			}
		}
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			file := p.name
			if target != "" {
				file = path.Join(path.Dir(p.name), target)
			}
			if !r.files[file] {
				t.Errorf("%s: the link %s leads nowhere", p.name, m[1])
			} else if anchor != "" && !anchors(t, file)[anchor] {
				t.Errorf("%s: %s has no such heading", p.name, m[1])
			}
		}
	}
}

// TestEveryPackageIsDrawn wants every folder of internal in the table of the house.
func TestEveryPackageIsDrawn(t *testing.T) {
	t.Parallel()
	house := document(t, "ARCHITECTURE.md")
	for name := range repository(t).tests {
		if top := strings.Split(name, "/"); top[0] == "internal" && !regexp.MustCompile("(?m)^\\|.*[`/]"+top[1]+"[`/]").MatchString(house) {
			t.Errorf("docs/ARCHITECTURE.md has no row for %s", name)
		}
	}
}

// anchors are the names that GitHub gives the headings of a page.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, m := range headline.FindAllStringSubmatch(string(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}

// TestNamesAreThere wants every package member, test and exported name that a
// document has in code type to be in the code, or to be an alert.
func TestNamesAreThere(t *testing.T) {
	t.Parallel()
	r := repository(t)
	tests := map[string]bool{}
	for _, names := range r.tests {
		for name := range names {
			tests[name] = true
		}
	}
	alerts, err := os.ReadFile(root + "/infra/alerts/belfry.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		for _, s := range p.spans() {
			switch m := member.FindStringSubmatch(s); {
			case isTest(s):
				if !some(tests, "^"+regexp.QuoteMeta(strings.TrimSuffix(s, "…"))) {
					t.Errorf("%s: there is no %s", p.name, s)
				}
			case m != nil && r.members[m[1]] != nil:
				for _, name := range strings.Split(m[2], ".")[1:] {
					if !r.members[m[1]][name] {
						t.Errorf("%s: %s: package %s has no %s", p.name, s, m[1], name)
					}
				}
			case exported.MatchString(s) && !elsewhere[s] && !r.idents[s] && !strings.Contains(r.said, s) &&
				!strings.Contains(string(alerts), "alert: "+s+"\n"):
				t.Errorf("%s: there is no %s in the code", p.name, s)
			}
		}
		for _, m := range goTest.FindAllStringSubmatch(strings.ReplaceAll(p.text, "\n", " "), -1) {
			dir, below := strings.CutSuffix(strings.TrimPrefix(m[2], "./"), "/...")
			found := map[string]bool{}
			for at, names := range r.tests {
				if at == dir || below && strings.HasPrefix(at, dir+"/") {
					for name := range names {
						found[name] = true
					}
				}
			}
			for _, pattern := range selects.FindAllStringSubmatch(m[1], -1) {
				if pattern[1] != "^$" && !some(found, pattern[1]) {
					t.Errorf("%s: %s runs nothing", p.name, m[0])
				}
			}
			if len(found) == 0 {
				t.Errorf("%s: %s: there are no tests", p.name, m[0])
			}
		}
	}
}

// some reports whether a name matches the pattern.
func some(names map[string]bool, pattern string) bool {
	re := regexp.MustCompile(pattern)
	for name := range names {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

// TestWordsOfOperators wants variables, metrics, events, outcome codes and make's
// targets, wherever a document names them.
func TestWordsOfOperators(t *testing.T) {
	t.Parallel()
	said := repository(t).said + document(t, "settings.md")
	targets, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range environ.FindAllString(said+string(targets), -1) {
		known[v] = true
	}
	for _, p := range pages(t) {
		for _, v := range environ.FindAllString(p.text, -1) {
			if !known[v] {
				t.Errorf("%s: no program reads %s", p.name, v)
			}
		}
		for _, m := range metric.FindAllString(p.text, -1) {
			name := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m, "_sum"), "_count"), "_bucket")
			if name != "belfry_id" && !strings.Contains(said, name+"\n") {
				t.Errorf("%s: there is no metric %s", p.name, m)
			}
		}
		for _, e := range event.FindAllString(p.text, -1) {
			if !strings.Contains(said, e+"\n") {
				t.Errorf("%s: there is no event %s", p.name, e)
			}
		}
		for _, m := range code.FindAllStringSubmatch(p.text, -1) {
			if _, ok := push.CodeNamed(m[1]); !ok {
				t.Errorf("%s: there is no outcome code %s", p.name, m[1])
			}
		}
		text := strings.Join(append(p.spans(), fence.FindAllString(p.text, -1)...), "\n")
		for _, m := range makes.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(targets), "\n"+m[1]+":") {
				t.Errorf("%s: make has no target %s", p.name, m[1])
			}
		}
	}
}

// TestRoutes wants every method and path that a document names to be one of the
// API's, or of the FCM simulator's controls.
func TestRoutes(t *testing.T) {
	t.Parallel()
	env := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json"}
	_, rest := commands.Start(t, `"listen":"`, "belfry", env, "up", "--sandbox")
	api, _, _ := strings.Cut(rest, `"`)
	res, err := http.Get("http://" + api + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for p, methods := range doc.Paths {
		for m := range methods {
			known[strings.ToUpper(m)+" "+placeholders(p)] = true
		}
	}
	said := repository(t).said // has what the simulator's mux is given
	for _, m := range control.FindAllStringSubmatch(said, -1) {
		if m[1] != "" && !strings.Contains(document(t, "simulator.md"), "`"+m[1]+"`") {
			t.Errorf("docs/simulator.md does not name %s", m[0])
		}
	}
	n := 0
	for _, p := range pages(t) {
		for _, m := range route.FindAllStringSubmatch(p.text, -1) {
			n++
			if asked := m[1] + " " + placeholders(strings.TrimRight(m[2], ".:")); !known[asked] && !strings.Contains(said, asked+"\n") {
				t.Errorf("%s: the API has no %s", p.name, asked)
			}
		}
	}
	const least = 12
	if n < least {
		t.Errorf("%d routes, there were %d and more", n, least)
	}
}

// placeholders is a path whose parameters have no names.
func placeholders(p string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(p, "{}")
}
