package display

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// An error that is longer than a terminal is wide is broken at blanks; a word that is longer stays whole. What is no terminal
// gets it as it is.
func TestFailFits(t *testing.T) {
	t.Parallel()
	const long = "--data: there is no directory /var/lib/belfry; name the one of the service with BELFRY_DATA or --data, or its server\n" +
		"and /a/path/that/is/longer/than/eighty/columns/and/that/somebody/copies/from/the/terminal/into/a/command"
	var out bytes.Buffer
	c := &Console{Err: &out, ErrWidth: 80}
	c.Fail("belfry breaker close", errors.New(long))
	for line := range strings.Lines(out.String()) {
		text := strings.TrimSpace(line)
		if runewidth.StringWidth(strings.TrimSuffix(line, "\n")) > 80 && strings.Contains(text, " ") {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	plain := strings.Join(strings.Fields(out.String()), " ")
	if want := strings.Join(strings.Fields("belfry breaker close: "+long), " "); !strings.HasPrefix(plain, want) {
		t.Errorf("%q, want %q", plain, want)
	}
	if !strings.Contains(out.String(), "\n  and\n  /a/path") {
		t.Errorf("the second line is not behind its indent:\n%s", out.String())
	}
	out.Reset()
	c.ErrWidth = 0
	c.Fail("belfry breaker close", errors.New(long))
	if !strings.Contains(out.String(), strings.ReplaceAll(long, "\n", "\n  ")) {
		t.Errorf("not as it is: %q", out.String())
	}
}
