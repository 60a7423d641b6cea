package wire_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/wire"
)

const most = 20

// read returns the lines of r; "!" stands for one that is too long.
func read(r io.Reader) ([]string, error) {
	lines := wire.NewLineReader(r, most)
	got := []string{}
	for {
		line, err := lines.Next()
		switch {
		case errors.Is(err, wire.ErrLineTooLong):
			got = append(got, "!")
		case errors.Is(err, io.EOF):
			return got, nil
		case err != nil:
			return got, err
		default:
			got = append(got, string(line))
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	full, over := strings.Repeat("x", most), strings.Repeat("x", most+1)
	cases := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{}},
		{"one, unfinished", "a", []string{"a"}},
		{"finished", "a\nb\n", []string{"a", "b"}},
		{"CRLF", "a\r\n\r\nb\r\n", []string{"a", "", "b"}},
		{"a CR inside is data", "a\rb\n", []string{"a\rb"}},
		{"blank", "\n\n \n", []string{"", "", " "}},
		{"a byte order mark", "\xef\xbb\xbfa\n\xef\xbb\xbfb", []string{"a", "\xef\xbb\xbfb"}},
		{"just fitting", full + "\r\n" + full + "\n" + full, []string{full, full, full}},
		{"one byte over", over + "\na\n" + over + "\r\n" + over, []string{"!", "a", "!", "!"}},
		{"far over", strings.Repeat(over, 9) + "\na\n" + strings.Repeat(over, 9), []string{"!", "a", "!"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{
				strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				got, err := read(r)
				if d := cmp.Diff(c.want, got); d != "" || err != nil {
					t.Errorf("%v: %s", err, d)
				}
			}
		})
	}
}

func TestLinesAreCounted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab\r\n\n "))).Draw(t, "text")
		want := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			want++
		}
		if got, err := read(iotest.HalfReader(strings.NewReader(text))); err != nil || len(got) != want {
			t.Errorf("%d lines, want %d: %v", len(got), want, err)
		}
	})
}

func TestLinesOfABrokenStream(t *testing.T) {
	t.Parallel()
	errCut := errors.New("cut")
	for text, want := range map[string][]string{"a\nb": {"a"}, "a\n": {"a"}, "a\n" + strings.Repeat("x", 99): {"a"}} {
		got, err := read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(errCut)))
		if d := cmp.Diff(want, got); d != "" || !errors.Is(err, errCut) {
			t.Errorf("%q: %v: %s", text, err, d)
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	lines := wire.NewLineReader(strings.NewReader("a\nb\nc"), most)
	for _, want := range []bool{false, true, false, false} { // before each line: nothing is read ahead at first, then b, then half of c
		if got := lines.Ready(); got != want {
			t.Errorf("ready is %t", got)
		}
		lines.Next()
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{"": true, " \t\r": true, "{}": false, " x": false, "\v": false} {
		if got := wire.Blank([]byte(line)); got != want {
			t.Errorf("%q: blank is %t", line, got)
		}
	}
}
