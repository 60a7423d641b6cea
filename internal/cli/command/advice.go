package command

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/belfry-push/belfry/docs/runbooks"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/push"
)

// adviceCmd prints what the runbook says of an outcome code.
type adviceCmd struct {
	Code   push.Code      `arg:"" optional:"" help:"Outcome code, such as fcm.unregistered; a part that only one code has is enough. Without it: all of them."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (adviceCmd) Help() string {
	return `What the code means, what is most likely wrong, how to check and mend it, and whether to replay or to discard:

    belfry advice unregistered
    dlq-replayer advice fcm.unavailable`
}

// advice is a code with its section.
type advice struct {
	Code    string `json:"code"`
	Class   string `json:"class"`
	Meaning string `json:"meaning"`
	Runbook string `json:"runbook,omitempty"`
}

// Run prints it.
func (c *adviceCmd) Run(con *display.Console) error {
	if c.Code == push.CodeOpen {
		return c.all(con)
	}
	f := c.Code.Facts()
	a := advice{f.Name, f.Class.String(), f.Meaning, runbooks.Section(f.Name)}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, a)
	}
	_, err := io.WriteString(con.Out, a.Code+" ("+a.Class+")\n\n"+readable(a.Runbook, con.Width))
	return err
}

// all lists the codes.
func (c *adviceCmd) all(con *display.Console) error {
	var list []advice
	table := display.NewTable(
		display.Column{Name: "CODE"}, display.Column{Name: "CLASS", Tone: true, Drop: 1}, display.Column{Name: "MEANING", Least: 30})
	for _, f := range push.Codes() {
		list = append(list, advice{Code: f.Name, Class: f.Class.String(), Meaning: f.Meaning})
		table.Row(f.Name, f.Class.String(), f.Meaning)
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, list)
	}
	if err := table.Print(con, c.Output.Wide(), ""); err != nil {
		return err
	}
	_, err := fmt.Fprintln(con.Err, "\nthe command advice CODE says what to do about one of them")
	return err
}

// readable is Markdown for a terminal: paragraphs wrapped, commands indented, links
// with their address behind them.
func readable(markdown string, width int) string {
	const usual, widest = 80, 100
	if width = min(width, widest); width == 0 {
		width = usual
	}
	link := regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`)
	var b strings.Builder
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			text := strings.ReplaceAll(strings.Join(paragraph, " "), "**", "")
			text = link.ReplaceAllStringFunc(text, func(s string) string {
				m := link.FindStringSubmatch(s)
				if !strings.HasPrefix(m[2], "http") {
					return m[1] // a place of the documents
				}
				return m[1] + " <" + m[2] + ">"
			})
			b.WriteString(display.Wrap(text, width, ""))
		}
		paragraph = nil
	}
	code := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			flush()
			code = !code
		case code:
			b.WriteString("    " + line + "\n")
		case strings.TrimSpace(line) == "":
			flush()
			b.WriteString("\n")
		case strings.HasPrefix(line, "- "):
			flush()
			paragraph = append(paragraph, line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return b.String()
}
