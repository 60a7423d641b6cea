package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/cli/display"
)

// helpCmd is never run: help WORDS is read as WORDS --help.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"Command, or topic."`
}

// topicTag marks the hidden commands that are topics of help.
const topicTag = "topic"

// asHelp rewrites help WORDS.
func asHelp(args []string) []string {
	if len(args) == 0 || args[0] != "help" {
		return args
	}
	rest := slices.DeleteFunc(slices.Clone(args[1:]), func(s string) bool { return s == "--help" || s == "-h" })
	return append(rest, "--help")
}

// printHelp is kong's help with the flags of a connection left out: nearly every
// command has them, and what is the same everywhere hides what is not. A line at
// the end names them, and the topic connection explains them.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	selected := ctx.Selected()
	if selected == nil {
		return kong.DefaultHelpPrinter(options, ctx)
	}
	topic := selected.Tag.Has(topicTag)
	var hidden []string
	for _, flags := range selected.AllFlags(true) {
		for _, flag := range flags {
			switch {
			case flag.Name == "color" || flag.Name == "version" || topic && flag.Name == "help":
				flag.Hidden = true
			case !topic && connects(flag, selected):
				flag.Hidden = true
				hidden = append(hidden, "--"+flag.Name)
			}
		}
	}
	var text bytes.Buffer
	out := ctx.Stdout
	ctx.Stdout = &text
	err := kong.DefaultHelpPrinter(options, ctx)
	ctx.Stdout = out
	if err != nil {
		return err
	}
	body := text.String()
	if topic {
		_, body, _ = strings.Cut(body, "\n\n") // without its usage: a topic does nothing
	}
	if _, err := io.WriteString(out, body); err != nil {
		return err
	}
	if len(hidden) > 0 {
		const usual = 80
		_, err = fmt.Fprintf(out, "\nConnection, see %s help connection:\n%s", ctx.Model.Name,
			display.Wrap(strings.Join(hidden, ", "), usual, "  "))
	}
	return err
}

// connects reports whether a flag says how a command reaches what it asks: the
// server, or the store if the command takes either.
func connects(flag *kong.Flag, of *kong.Node) bool {
	if flag.Group == nil {
		return false
	}
	switch flag.Group.Key {
	case "server":
		return true
	case "store":
		for _, flags := range of.AllFlags(false) {
			if slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Group != nil && f.Group.Key == "server" }) {
				return true
			}
		}
	}
	return false
}
