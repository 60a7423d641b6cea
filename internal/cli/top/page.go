package top

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/live"
	"github.com/belfry-push/belfry/internal/visible"
)

// page is where a part of the screen is laid out: the display's tables and lists print to it.
type page struct {
	con display.Console
	buf bytes.Buffer
}

func newPage(width int, colour bool) *page {
	p := &page{con: display.Console{Width: width, Colour: colour}}
	p.con.Out, p.con.Err = &p.buf, &bytes.Buffer{}
	return p
}

// lines are what was laid out.
func (p *page) lines() []string {
	text := strings.TrimRight(p.buf.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (p *page) gap() { p.buf.WriteString("\n") }

// words are a paragraph; the first word of those in capitals is in the colour of its state.
func (p *page) words(text string) {
	p.buf.WriteString(display.Wrap(visible.Field(text), p.con.Width, ""))
}

func (p *page) title(text string) {
	for line := range strings.Lines(display.Wrap(visible.Field(text), p.con.Width, "")) {
		p.buf.WriteString(p.con.Heading(strings.TrimSuffix(line, "\n")) + "\n")
	}
}

// facts are names and texts, two by two. What is empty is left out.
func (p *page) facts(pairs ...string) {
	var l display.List
	for i := 0; i+1 < len(pairs); i += 2 {
		l.Row("  "+pairs[i], pairs[i+1])
	}
	_ = l.Print(&p.con)
}

// command is one to type, in a line that is never broken.
func (p *page) command(words ...string) {
	for i := range words {
		words[i] = shell(words[i])
	}
	p.buf.WriteString("    " + strings.Join(words, " ") + "\n")
}

// table prints a table, unless it is empty.
func (p *page) table(t *display.Table, rows int) {
	if rows > 0 {
		_ = t.Print(&p.con, false, "")
	}
}

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// shell is a word as it is typed in a shell: what a server named must not become a command when somebody copies it.
func shell(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// ago is how long before the status a time was.
func (m model) ago(t *time.Time) cell {
	if t == nil || t.IsZero() {
		return cell{}
	}
	seconds := m.status.At.Sub(*t).Seconds()
	return cell{live.Span(seconds), seconds}
}

// when is a time with how long ago it was.
func (m model) when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	layout := "15:04:05 UTC"
	if m.status.At.Sub(*t).Abs() > 12*time.Hour {
		layout = "2006-01-02 15:04 UTC"
	}
	if t.After(m.status.At) {
		return fmt.Sprintf("%s (in %s)", t.UTC().Format(layout), live.Span(t.Sub(m.status.At).Seconds()))
	}
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(layout), m.ago(t).text)
}

// find is the thing with that key, nil for none.
func find[T any](things []T, is func(*T) bool) *T {
	for i := range things {
		if is(&things[i]) {
			return &things[i]
		}
	}
	return nil
}

// waitsFor reports whether something that runs waits for a credential.
func waitsFor(r *client.StatusRunning) bool {
	return r.Reason == "breaker" || r.Reason == "quota" || r.Reason == "credential"
}
