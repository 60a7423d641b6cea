package arch

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/belfry-push/belfry"

// Longest files, in lines. Behind both stands the same wish: one purpose each.
const (
	maxFileLines = 600
	maxMainLines = 60
)

// pkg is what the checks need to know of one package. Imports are full paths.
type pkg struct {
	name        string // path below the module; "." is the module's root
	doc         string // package comment, from code or, if there is none, from tests
	imports     []string
	testImports []string // of the tests in the package and beside it
	reached     []string // everything the code depends on, directly or not
	files       []file   // code without tests
}

type file struct {
	name  string // base name
	lines int
}

// check returns what is wrong with p, one sentence each, in a stable order.
func check(rules []rule, p pkg) []string {
	r, ok := ruleFor(rules, p.name)
	if !ok {
		hint := "add it to a rule of table() in internal/arch/rules.go"
		if isSuite(p.name) {
			hint = "add it to suites() in internal/arch/rules.go"
		}
		return []string{fmt.Sprintf("%s is in no room: %s", p.name, hint)}
	}
	var faults []string
	if strings.TrimSpace(p.doc) == "" {
		faults = append(faults, p.name+" has no package comment: say what it is for and what it never does")
	}
	faults = append(faults, checkImports(r, p)...)
	faults = append(faults, checkReach(r, p)...)
	return append(faults, checkFiles(p)...)
}

func checkImports(r rule, p pkg) []string {
	var faults []string
	for _, path := range p.imports {
		if why := r.refuses(path); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.name, short(path), why))
		}
	}
	// A test beside the package imports the package itself.
	usable := slices.Concat([]string{p.name}, r.uses, r.testsUse)
	for _, path := range p.testImports {
		if own, inside := inModule(path); inside && !matchAny(usable, own) {
			faults = append(faults, fmt.Sprintf("a test of %s imports %s: the tests of %s may import only %s", p.name, own, r.layer, list(usable)))
		}
	}
	return faults
}

// refuses says why code under r may not import path, or nothing.
func (r rule) refuses(path string) string {
	own, inside := inModule(path)
	switch {
	case inside && matchAny(r.uses, own):
		return ""
	case inside:
		return fmt.Sprintf("of the module, %s may import only %s", r.layer, list(r.uses))
	case isStd(path) && matchAny(r.notStd, path):
		return "transport, storage and files are not the business of " + r.layer
	case !isStd(path) && r.strict && !matchAny(r.outside, path):
		return fmt.Sprintf("from outside, %s may import only %s", r.layer, list(r.outside))
	default:
		return ""
	}
}

func checkReach(r rule, p pkg) []string {
	var faults []string
	for _, path := range p.reached {
		name := path
		if own, inside := inModule(path); inside {
			name = own
		}
		if matchAny(r.notReached, name) {
			faults = append(faults, fmt.Sprintf("%s reaches %s, which %s must not", p.name, name, r.layer))
		}
	}
	return faults
}

func checkFiles(p pkg) []string {
	var faults []string
	for _, f := range p.files {
		limit := maxFileLines
		if strings.HasPrefix(p.name, "cmd/") && f.name == "main.go" {
			limit = maxMainLines
		}
		if f.lines > limit {
			faults = append(faults, fmt.Sprintf("%s/%s has %d lines, more than %d: split it by purpose", p.name, f.name, f.lines, limit))
		}
	}
	return faults
}

// inModule returns path relative to the module's root, if it is inside.
func inModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// short is path as the table writes it.
func short(path string) string {
	if own, inside := inModule(path); inside {
		return own
	}
	return path
}

// isStd reports whether path is of the standard library: the first element of
// any other import path has a dot in it.
func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func list(patterns []string) string {
	if len(patterns) == 0 {
		return "the standard library"
	}
	return strings.Join(patterns, ", ")
}
