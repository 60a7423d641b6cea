package docs

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// proof is a link to a test: its name, and the file that it is in.
var proof = regexp.MustCompile("\\[`((?:Test|Fuzz|Benchmark)\\w+)`\\]\\(([^)\\s]+_test\\.go)\\)")

// TestEveryDefenceHasATest wants a link to a test in every row of the tables of attacks, and the test in the file that the
// link names.
func TestEveryDefenceHasATest(t *testing.T) {
	t.Parallel()
	text := document(t, "security.md")
	_, attacks, _ := strings.Cut(text, "\n## Who attacks")
	attacks, open, _ := strings.Cut(attacks, "\n## What is not defended")
	if open == "" {
		t.Fatal("the page does not say who attacks, or what is not defended")
	}
	rows := 0
	for line := range strings.SplitSeq(attacks, "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasSuffix(line, "| test |") {
			continue
		}
		rows++
		if !proof.MatchString(line) {
			t.Errorf("no test proves it: %s", line)
		}
	}
	const least = 35
	if rows < least {
		t.Errorf("%d attacks, there were at least %d", rows, least)
	}
	for _, m := range proof.FindAllStringSubmatch(text, -1) {
		file := path.Join("docs", m[2])
		if !declares(t, file, m[1]) {
			t.Errorf("%s has no %s", file, m[1])
		}
	}
}

// declares reports whether a file has a test, a fuzz target or a benchmark of that name.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	text, ok := sourceOf(t, file)
	return ok && strings.Contains(text, "\nfunc "+name+"(")
}

// sourceOf is the text of a file of the repository, from the root.
func sourceOf(t *testing.T, file string) (string, bool) {
	t.Helper()
	if !repository(t).files[file] {
		return "", false
	}
	text, err := os.ReadFile(path.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), true
}
