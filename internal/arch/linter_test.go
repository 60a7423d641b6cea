package arch

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinterNamesTheSamePackages compares .golangci.yml, which says the commonest
// rules where an editor shows them, with the table: what the one lists the other
// has.
func TestLinterNamesTheSamePackages(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	guarded := depguard(string(text))
	want := map[string][]string{
		"words files":     words(),
		"words-std files": words(),
		"rooms files":     slices.Concat(rooms(), machinery(), ports(), entitling()),
		"adapters deny":   slices.Concat(rooms(), []string{"internal/guard", "internal/httpapi", "internal/config", "internal/app"}),
	}
	for list, packages := range want {
		have := guarded[list]
		for _, p := range packages {
			if !slices.ContainsFunc(have, func(h string) bool { return p == h || strings.HasPrefix(p, h+"/") }) {
				t.Errorf(".golangci.yml, depguard, %s: %s is missing", list, p)
			}
		}
		for _, p := range have {
			if !slices.Contains(packages, p) {
				t.Errorf(".golangci.yml, depguard, %s: %s is not in internal/arch/rules.go", list, p)
			}
		}
	}
}

// depguard returns the packages of the module that each rule names, by the rule
// and the part: "rooms files". It knows the form of our own file, no more YAML.
func depguard(text string) map[string][]string {
	lists := map[string][]string{}
	_, text, _ = strings.Cut(text, "\n    depguard:\n")
	ruleName, part := regexp.MustCompile(`^ {8}([a-z-]+):$`), regexp.MustCompile(`^ {10}([a-z]+):(.*)$`)
	named := regexp.MustCompile(`(?:\*\*|belfry-push/belfry)/(internal/[a-z0-9]+(?:/[a-z0-9]+)*)`)
	rule, list := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "      ") {
			break // the next linter's settings
		}
		if m := ruleName.FindStringSubmatch(line); m != nil {
			rule = m[1]
			continue
		}
		rest := line
		if m := part.FindStringSubmatch(line); m != nil {
			list, rest = rule+" "+m[1], m[2]
		}
		for _, m := range named.FindAllStringSubmatch(rest, -1) {
			lists[list] = append(lists[list], path.Clean(m[1]))
		}
	}
	return lists
}
