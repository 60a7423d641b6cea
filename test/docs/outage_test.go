package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/demo"
	"github.com/belfry-push/belfry/test/raced"
)

var (
	// shownBlock is a block of docs/outage.md: a command, or a comment that says what is shown, with what was printed.
	shownBlock = regexp.MustCompile("(?s)```console\n([$#] [^\n]*)\n(.*?)```")
	demoFolder = regexp.MustCompile(`\S*belfry-demo-\d+`)
	traceID    = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
)

// TestOutage plays belfry demo --outage, which checks itself what its commands answer, and holds docs/outage.md to what it
// prints: the same commands in the same order, with the same beginnings and tables. With -update the document is written anew.
func TestOutage(t *testing.T) {
	t.Parallel()
	if raced.On {
		t.Skip("its minute goes by the clock, and its programs are not watched by the race detector")
	}
	for _, tool := range []string{"sh", "curl", "grep", "promtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			say := "there is no " + tool + " on this machine"
			if required, _ := config.Environment()("BELFRY_REQUIRE_PROMTOOL"); required != "" {
				t.Fatal(say + ", which BELFRY_REQUIRE_PROMTOOL asks for")
			}
			t.Skip(say)
		}
	}
	var out bytes.Buffer
	const recipients = 2000 // as in the document
	err := demo.RunOutage(t.Context(), config.Demo{Backend: config.BackendEmbedded, Recipients: recipients}, zap.NewNop(), &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	is := stepsOf(out.String())
	n := 0
	renewed := shownBlock.ReplaceAllStringFunc(document(t, "outage.md"), func(block string) string {
		m := shownBlock.FindStringSubmatch(block)
		if n++; n > len(is) {
			return block
		}
		was := step{command: m[1], output: m[2]}
		if !*update && outline(was) != outline(is[n-1]) {
			t.Errorf("step %d is\n%s\n%s\nthe document has\n%s\n%s\nrun make walkthrough if that is meant", n,
				is[n-1].command, is[n-1].output, was.command, was.output)
		}
		return "```console\n" + is[n-1].command + "\n" + is[n-1].output + "```"
	})
	if n != len(is) {
		t.Errorf("the document has %d steps, the demo %d:\n%s", n, len(is), out.String())
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(filepath.Join("..", "..", "docs", "outage.md"), []byte(renewed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stepsOf takes what the demo prints apart: the lines that begin with $ or #, each with the output below it. Those without
// any say something to the reader.
func stepsOf(text string) (all []step) {
	for line := range strings.Lines(text) {
		switch last := len(all) - 1; {
		case strings.HasPrefix(line, "$ "), strings.HasPrefix(line, "# "):
			all = append(all, step{command: strings.TrimSuffix(line, "\n")})
		case last >= 0:
			all[last].output += line
		}
	}
	all = slices.DeleteFunc(all, func(s step) bool { return strings.TrimSpace(s.output) == "" })
	for i := range all {
		all[i].output = blankEnd.ReplaceAllString(strings.Trim(all[i].output, "\n")+"\n", "\n")
	}
	return all
}

// outline is what of a step must not change: the command, how its output begins, and which tables it has. A table of lanes
// comes and goes, and so do columns for which there is no room.
func outline(s step) string {
	command := demoFolder.ReplaceAllString(traceID.ReplaceAllString(anID.ReplaceAllString(s.command, "$1"), "TRACE"), "DIR")
	kept := []string{number.ReplaceAllString(command, "#")}
	for i, line := range strings.Split(anID.ReplaceAllString(s.output, "$1"), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case i == 0:
			kept = append(kept, words[0])
		case heading.MatchString(strings.NewReplacer("/", " ", "-", " ").Replace(strings.Join(words, " "))) && words[0] != "LANE":
			kept = append(kept, words[0])
		}
	}
	return strings.Join(kept, "\n")
}

// TestOutline: numbers, ids and the demo's folder do not count, another command or table does.
func TestOutline(t *testing.T) {
	t.Parallel()
	const one, other = "ntf_ddb294be-2787-8e7a-9df9-c59d5ed913da", "ntf_22d75f24-9a0e-80ac-8ac0-df7ac5ba87ee"
	was := step{"$ belfry send --recipients /tmp/belfry-demo-12/r.ndjson", "OK: all 12\n\nQUEUE  IN HAND\nbulk  1\n"}
	trace := func(digit, id string) string {
		return outline(step{"# trace " + strings.Repeat(digit, 32), id + " is late"})
	}
	if trace("7", one) != trace("a", other) || trace("7", one) == trace("7", "bat"+one[3:]) {
		t.Errorf("%q, %q", trace("7", one), trace("a", other))
	}
	for text, same := range map[string]bool{
		"$ belfry send --recipients /var/belfry-demo-7/r.ndjson\nOK: all 7\n\nLANE  CHUNKS\nbulk 1\n\nQUEUE  WAITING\n": true,
		"$ belfry send --recipients /tmp/belfry-demo-12/r.ndjson\nFAILING: all\n\nQUEUE  IN HAND\n":                     false,
		"$ belfry send --recipients /tmp/belfry-demo-12/r.ndjson\nOK: all\n":                                            false,
		"$ belfry status\nOK: all\n\nQUEUE  IN HAND\n":                                                                  false,
	} {
		if is := stepsOf("# words\n" + text); len(is) != 1 || (outline(is[0]) == outline(was)) != same {
			t.Errorf("%q: want the same outline: %v", text, same)
		}
	}
}
