package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a fenced block of a page.
type block struct {
	language, text string
	at             string // file:line of its fence
}

const (
	readme     = "README.md"
	firstSteps = "docs/first-steps.md"
)

// blocks returns the fenced blocks of a page that have a language, in order.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	for _, at := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllSubmatchIndex(text, -1) {
		b := block{
			language: string(text[at[2]:at[3]]), text: string(text[at[4]:at[5]]),
			at: fmt.Sprintf("%s:%d", page, 1+strings.Count(string(text[:at[0]]), "\n")),
		}
		if b.language != "" {
			out = append(out, b)
		}
	}
	return out
}

// TestLanguages: a block of another language than those that the other tests run
// would be run by none.
func TestLanguages(t *testing.T) {
	t.Parallel()
	for _, b := range append(blocks(t, readme), blocks(t, firstSteps)...) {
		if !slices.Contains([]string{"sh", "go"}, b.language) {
			t.Errorf("%s: nothing runs a block of %q", b.at, b.language)
		}
	}
}

// TestMakeTargets: the two commands of the README are targets. What they do is
// run elsewhere: this is make test, and make demo is a test of internal/demo.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range blocks(t, readme) {
		for _, m := range regexp.MustCompile(`(?m)^make ([a-z-]+)`).FindAllStringSubmatch(b.text, -1) {
			found++
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: the Makefile has no target %s", b.at, m[1])
			}
		}
	}
	if found < 2 {
		t.Errorf("README.md has %d commands of make in its blocks, want make demo and make test", found)
	}
}
