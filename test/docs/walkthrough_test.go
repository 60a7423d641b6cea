package docs

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
)

var update = flag.Bool("update", false, "write what the commands of the walk-through print into it")

// walkthroughs are the documents whose commands are run, and how many each has at least.
func walkthroughs() map[string]int {
	return map[string]int{"dead-letters.md": 10, "quotas.md": 5, "tenants.md": 10, "audit.md": 6, "privacy.md": 6}
}

// The document's addresses; a run of it has others.
const (
	apiAddress = "127.0.0.1:8080"
	simAddress = "127.0.0.1:8090"
)

// step is one command of the document with what it printed, as they stand in a
// console block.
type step struct{ command, output string }

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n\\$ ([^\n]*)\n(.*?)```")
	blankEnd     = regexp.MustCompile(`[ \t]+\n`)
	anID         = regexp.MustCompile(`\b([a-z]{3})_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
)

// TestWalkthrough runs every command of each document, in order, on a sandbox of
// its own. Each must end as it does there and print the same first line and
// headings, but for ids, numbers and times. With -update the documents are
// written anew.
func TestWalkthrough(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "seq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool + " on this machine")
		}
	}
	for name, least := range walkthroughs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			walkThrough(t, name, least)
		})
	}
}

func walkThrough(t *testing.T, name string, least int) {
	t.Helper()
	text := document(t, name)
	w := &walk{t: t, dir: t.TempDir(), ids: map[string]string{}}
	if name == "audit.md" {
		exportTrimmed(t, w.dir)
	}
	n := 0
	renewed := consoleBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := consoleBlock.FindStringSubmatch(block)
		n++
		was := step{command: m[1], output: m[2]}
		is := w.run(was)
		if !*update && shape(is.output) != shape(was.output) {
			t.Errorf("$ %s\nprints\n%s\nthe document has\n%s\nrun make walkthrough if that is meant", was.command, is.output, was.output)
		}
		return "```console\n$ " + is.command + "\n" + is.output + "```"
	})
	if n < least {
		t.Fatalf("the document has %d commands, it had at least %d", n, least)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(filepath.Join("..", "..", "docs", name), []byte(renewed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// walk runs commands one after the other.
type walk struct {
	t   *testing.T
	env []string
	dir string // where the commands run, and what they write is
	api string // where belfry up listens
	sim string
	ids map[string]string // of the document, to those of this run; by prefix, the last one
}

// run executes a step and returns it as it went this time.
func (w *walk) run(was step) step {
	w.t.Helper()
	command := anID.ReplaceAllStringFunc(was.command, func(id string) string {
		prefix, _, _ := strings.Cut(id, "_")
		if now, ok := w.ids[prefix]; ok {
			return now
		}
		w.t.Fatalf("$ %s\nno command before it printed such an id", was.command)
		return id
	})
	if background, ok := strings.CutSuffix(command, " &"); ok {
		w.start(strings.Fields(background))
		return step{command: command}
	}
	there := strings.NewReplacer(apiAddress, w.api, simAddress, w.sim)
	back := strings.NewReplacer(w.api, apiAddress, w.sim, simAddress)
	cmd := exec.CommandContext(w.t.Context(), "bash", "-c", there.Replace(command))
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), w.env...)        //nolint:forbidigo // a child inherits it
	if !strings.Contains(command, "dlq-replayer") { // which works on the data directory, as the reader's does
		cmd.Env = append(cmd.Env, "BELFRY_API=http://"+w.api)
	}
	out, err := cmd.CombinedOutput()
	// Exit code 3 is a send of which not everything was sent: that is the story.
	if code, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || code.ExitCode() != 3) {
		w.t.Fatalf("$ %s\n%v\n%s", command, err, out)
	}
	seen := map[string]bool{}
	for _, m := range anID.FindAllStringSubmatch(string(out), -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			w.ids[m[1]] = m[0]
		}
	}
	return step{command: command, output: blankEnd.ReplaceAllString(back.Replace(string(out)), "\n")}
}

// start runs belfry up, which the other commands talk to.
func (w *walk) start(command []string) {
	w.t.Helper()
	data := w.t.TempDir()
	env := []string{"BELFRY_DATA=" + data, "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json"}
	p, rest := commands.Start(w.t, `"listen":"`, command[0], env, command[1:]...)
	w.api, _, _ = strings.Cut(rest, `"`)
	programs.WaitFor(w.t, "the simulator", func() bool {
		sim, ok := p.Find(`"endpoint":"http://`)
		w.sim, _, _ = strings.Cut(sim, "/")
		return ok
	})
	dir := filepath.Dir(commands.Path(w.t, "belfry"))
	w.env = []string{
		"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH"), //nolint:forbidigo // the commands are found there
		"BELFRY_DATA=" + data, "TERM=dumb",
	}
}

var (
	number  = regexp.MustCompile(`\d[\d,.:TZ-]*`)
	heading = regexp.MustCompile(`^[A-Z][A-Z ]*$`)

	progressLine = regexp.MustCompile(`(?m)^(accepted|sending|uploading|canary|waiting for outcomes)[^\n]*: [\d,]+ (of|sent)[^\n]*\n`)
)

// shape is what of an output must not change: its first line and the headings
// of tables, without ids, numbers and the width of columns. A command that takes
// long prints how far it is, every five seconds: those lines come and go.
func shape(output string) string {
	var kept []string
	output = progressLine.ReplaceAllString(output, "")
	for i, line := range strings.Split(output, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if i == 0 || heading.MatchString(line) {
			line = anID.ReplaceAllString(line, "$1")
			kept = append(kept, number.ReplaceAllString(line, "#"))
		}
	}
	return strings.Join(kept, "\n")
}

// TestShape: what a busy machine adds does not count, another heading does.
func TestShape(t *testing.T) {
	t.Parallel()
	const quiet = "id bat_1\nCLASS CODE\nsent 1\n"
	for busy, same := range map[string]bool{
		"sending: 2,683 sent, 164 failed, 2,153 open, 1,594/s, ETA 1s\n" + quiet:           true,
		"waiting for outcomes: 31 of 31 sent, 0 failed again of 28 known, 6.0/s\n" + quiet: true,
		strings.Replace(quiet, "CLASS CODE", "CLASS CODES", 1):                             false,
		"sending to nobody\n" + quiet:                                                      false,
	} {
		if (shape(busy) == shape(quiet)) != same {
			t.Errorf("%q: want the same shape: %v", busy, same)
		}
	}
}
