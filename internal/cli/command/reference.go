package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Reference writes every command of the program with its flags, as a page in
// Markdown.
func (p Program) Reference(w io.Writer) error {
	parser, err := p.parser(io.Discard)
	if err != nil {
		return err
	}
	app := parser.Model()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", app.Name, prose(app.Help))
	commands := app.Leaves(true)
	if len(commands) > 0 {
		b.WriteString("\n| command | what it does |\n|---|---|\n")
		for _, c := range commands {
			fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.FullPath(), strings.ReplaceAll(c.FullPath(), " ", "-"), cell(c.Help))
		}
	}
	flagTables(&b, app.Flags)
	for _, c := range append(commands, topics(app)...) {
		section(&b, c)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the reference of %s: %w", p.Name, err)
	}
	return nil
}

// topics are the hidden commands that explain what others leave out.
func topics(app *kong.Application) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(app.Children), func(n *kong.Node) bool { return !n.Tag.Has(topicTag) })
}

// section writes one command, or topic.
func section(b *strings.Builder, c *kong.Node) {
	topic := c.Tag.Has(topicTag)
	name := c.FullPath()
	if topic {
		name = c.Name
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n", name, prose(c.Help))
	var flags []*kong.Flag
	connection := false
	for _, f := range slices.Concat(c.AllFlags(true)[1:]...) { // those of the program are told once
		if !topic && connects(f, c) {
			connection = true
			continue
		}
		flags = append(flags, f)
	}
	if !topic {
		fmt.Fprintf(b, "\n```text\n%s", c.FullPath())
		for _, a := range c.Positional {
			b.WriteString(" " + a.Summary())
		}
		if len(flags) > 0 || connection {
			b.WriteString(" [flags]")
		}
		b.WriteString("\n```\n")
	}
	if c.Detail != "" {
		b.WriteString("\n" + prose(c.Detail) + "\n")
	}
	if len(c.Positional) > 0 {
		b.WriteString("\n| argument | meaning |\n|---|---|\n")
		for _, a := range c.Positional {
			fmt.Fprintf(b, "| `%s` | %s |\n", a.Summary(), cell(a.Help))
		}
	}
	flagTables(b, flags)
	if connection {
		b.WriteString("\nIt has the flags of a [connection](#connection), too.\n")
	}
}

// flagTables writes a table for each group of flags.
func flagTables(b *strings.Builder, flags []*kong.Flag) {
	group, begun := "", false
	for _, f := range flags {
		if f.Name == "help" || f.Hidden {
			continue
		}
		title := "Flags"
		if f.Group != nil {
			title = strings.TrimSuffix(f.Group.Title, ":")
		}
		if !begun || title != group {
			fmt.Fprintf(b, "\n**%s**\n\n| flag | default | meaning |\n|---|---|---|\n", title)
			group, begun = title, true
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", flagName(f), fallback(f), meaning(f))
	}
}

func flagName(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Tag.Negatable != "" {
		name = "--[no-]" + f.Name
	}
	if !f.IsBool() {
		name += "=" + f.PlaceHolder
	}
	if f.Short != 0 {
		name = "-" + string(f.Short) + ", " + name
	}
	return "`" + name + "`"
}

func fallback(f *kong.Flag) string {
	if !f.HasDefault || f.Default == "" || f.IsBool() && f.Tag.Negatable == "" {
		return ""
	}
	return "`" + f.Default + "`"
}

func meaning(f *kong.Flag) string {
	text := cell(f.Help)
	if len(f.Envs) > 0 {
		text += " `" + strings.Join(f.Envs, "`, `") + "`"
	}
	return text
}

// cell is a text in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(marked(text), "\n", " "), "|", `\|`)
}

// marked escapes what Markdown, or HTML in it, would take for its own.
func marked(text string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "{{", `{\{`).Replace(text)
}

// prose is a text of a help as Markdown: its indented lines are code.
func prose(text string) string {
	var out []string
	code := false
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n ")
		stripped, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented && !code:
			out = append(out, "```sh")
			code = true
		case code && !indented && line != "":
			end := len(out)
			for out[end-1] == "" {
				end--
			}
			out = slices.Insert(out, end, "```")
			code = false
		}
		if code {
			out = append(out, stripped)
		} else {
			out = append(out, marked(line))
		}
	}
	if code {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}
