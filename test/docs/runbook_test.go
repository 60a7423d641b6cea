package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
)

// parts are what every section of the runbook has, in this order.
var parts = []string{"Meaning", "Likely cause", "Check", "Fix", "Replay or discard"}

// section is what the runbook says of one code.
type section struct {
	class string // heading above
	text  string
}

// TestRunbook wants one section for each code of the taxonomy, with all of its
// parts, below the heading of its class.
func TestRunbook(t *testing.T) {
	t.Parallel()
	sections := runbook(t)
	for _, f := range push.Codes() {
		s, ok := sections[f.Name]
		if !ok {
			t.Errorf("no section for %s", f.Name)
			continue
		}
		delete(sections, f.Name)
		if want := strings.ReplaceAll(f.Class.String(), "_", "-"); strings.ToLower(s.class) != want {
			t.Errorf("%s stands below %q, not below its class", f.Name, s.class)
		}
		rest := s.text
		for i, part := range parts {
			text, ok := partOf(rest, i)
			if !ok {
				t.Errorf("%s lacks %q, or has it in the wrong place", f.Name, part)
				break
			}
			if len(strings.Fields(text)) < 2 {
				t.Errorf("%s says nothing under %q", f.Name, part)
			}
			rest = rest[strings.Index(rest, text)+len(text):]
		}
		if n := strings.Count(s.text, "\n**"); n != len(parts) {
			t.Errorf("%s has %d parts, want %d", f.Name, n, len(parts))
		}
	}
	for name := range sections {
		t.Errorf("section for %q, which is no code", name)
	}
}

// TestAdviceAgreesWithRunbook wants the advice that groups print to lead to the
// code's section, and both to begin with the same verdict.
func TestAdviceAgreesWithRunbook(t *testing.T) {
	t.Parallel()
	sections := runbook(t)
	anchor := strings.NewReplacer(".", "") // as GitHub makes it of a code's name
	for _, f := range push.Codes() {
		a := letters.AdviceFor(f.Code)
		if want := "docs/runbooks/dead-letters.md#" + anchor.Replace(f.Name); a.Runbook != want {
			t.Errorf("%s: advice leads to %s, want %s", f.Name, a.Runbook, want)
		}
		text, ok := partOf(sections[f.Name].text, len(parts)-1)
		if !ok {
			t.Errorf("%s: no verdict", f.Name)
			continue
		}
		verdict := regexp.MustCompile(`^\w+`)
		if in, out := verdict.FindString(strings.TrimSpace(text)), verdict.FindString(a.Replay); in != out {
			t.Errorf("%s: the runbook says %q, advice says %q", f.Name, in, out)
		}
	}
}

// runbook reads the sections by code. A code with two sections is a fault.
func runbook(t *testing.T) map[string]section {
	t.Helper()
	text := document(t, "runbooks/dead-letters.md")
	heading := regexp.MustCompile("^### `(.+)`$")
	out := map[string]section{}
	class, name := "", ""
	for line := range strings.Lines(text) {
		switch bare := strings.TrimRight(line, "\n"); {
		case strings.HasPrefix(bare, "## "):
			class, name = strings.TrimPrefix(bare, "## "), ""
		case strings.HasPrefix(bare, "#"):
			m := heading.FindStringSubmatch(bare)
			if m == nil {
				name = ""
				continue
			}
			name = m[1]
			if _, twice := out[name]; twice {
				t.Errorf("two sections for %s", name)
			}
			out[name] = section{class: class}
		case name != "":
			s := out[name]
			s.text += line
			out[name] = s
		}
	}
	return out
}

// partOf returns the text of the i-th part.
func partOf(text string, i int) (string, bool) {
	_, rest, ok := strings.Cut(text, "\n**"+parts[i]+".**")
	if i+1 == len(parts) {
		return rest, ok
	}
	rest, _, next := strings.Cut(rest, "\n**"+parts[i+1]+".**")
	return rest, ok && next
}

// document reads a file below docs.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
