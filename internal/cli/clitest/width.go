package clitest

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/test/raced"
)

// Commands lists every command that help shows, the program itself first, with the
// words that call it.
func Commands(node *kong.Application) []string {
	out := []string{node.Name}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, child := range n.Children {
			if !child.Hidden {
				out = append(out, child.FullPath())
				walk(child)
			}
		}
	}
	walk(node.Node)
	for i, words := range out { // without arguments
		words, _, _ = strings.Cut(words, " <")
		words, _, _ = strings.Cut(words, " [")
		out[i] = words
	}
	return out
}

// Fits fails the test for a line that is wider than the terminal. Examples, which
// are indented by four, stay in one line, to be copied.
func Fits(t *testing.T, command, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if n := runewidth.StringWidth(line); n > width && !strings.HasPrefix(line, "    ") {
			t.Errorf("%s at %d columns prints one of %d: %s", command, width, n, line)
		}
	}
}

// HelpAtWidths pins the help of every command of a grammar at the widths of
// terminals, in help-<width>.txt; run runs a command line of the program. Only
// examples, which must stay one line to be copied, may be wider. It sets COLUMNS,
// so the test cannot be parallel.
func HelpAtWidths(t *testing.T, program string, grammar any, run func(args ...string) Result) {
	t.Helper()
	parser, err := config.NewParser(grammar, func(string) (string, bool) { return "", false }, io.Discard, kong.Name(program))
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{80, 100, 160}[:raced.Rounds(3)] {
		t.Setenv("COLUMNS", strconv.Itoa(width))
		var all strings.Builder
		for _, words := range Commands(parser.Model()) {
			r := run(append(strings.Fields(words)[1:], "--help")...)
			all.WriteString("$ " + words + " --help\n" + r.Out + "\n")
			Fits(t, words, r.Out, width)
		}
		Golden(t, "help-"+strconv.Itoa(width)+".txt", all.String())
	}
}
