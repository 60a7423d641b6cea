package display

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-runewidth"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/visible"
)

// The exit codes of the programs.
const (
	ExitOK          = 0 // done; for a send: everything was sent
	ExitFailure     = 1 // it could not be done
	ExitUsage       = config.ExitUsage
	ExitIncomplete  = 3   // a send finished, but not everything was sent; a replay stopped itself
	ExitNothing     = 4   // nothing matches, so nothing was done
	ExitRefused     = 5   // lines of a file were refused, so nothing was sent
	ExitDegraded    = 6   // belfry status: somebody waits, is held back, or could be
	ExitFailing     = 7   // belfry status: nothing is accepted, or nothing is sent
	ExitInterrupted = 130 // stopped by SIGINT or SIGTERM, as a shell reports it
)

// usageError is a mistake in the arguments that kong cannot know.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// Usagef is an error that ends the program with [ExitUsage].
func Usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// nothingError says that there is nothing to do.
type nothingError struct{ text string }

func (e nothingError) Error() string { return e.text }

// ExitCode implements the interface of errors that choose their own exit code.
func (nothingError) ExitCode() int { return ExitNothing }

// Nothingf is an error that ends the program with [ExitNothing].
func Nothingf(format string, args ...any) error { return nothingError{fmt.Sprintf(format, args...)} }

// StatusError ends the program with a code after everything was said.
type StatusError int

func (e StatusError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// ExitCode implements the interface of errors that choose their own exit code.
func (e StatusError) ExitCode() int { return int(e) }

// Fail says what went wrong, and what to do about it, and returns the exit code.
func (c *Console) Fail(command string, err error) int {
	code, hint := c.classify(command, err)
	if quiet, ok := errors.AsType[StatusError](err); ok {
		return int(quiet)
	}
	if code == ExitOK {
		return code
	}
	text := strings.ReplaceAll(inOneLine(err), "\n", "\n  ")
	if _, ok := errors.AsType[config.Faults](err); ok {
		text = "wrong settings\n  " + text
	}
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	text = c.folded(visible.Text(command + ": " + text))
	if c.ErrColour {
		text = paint(command+":", bad) + strings.TrimPrefix(text, command+":")
	}
	_, _ = fmt.Fprintln(raw(c.Err), text)
	if hint != "" {
		_, _ = fmt.Fprintln(c.Err, c.folded(hint))
	}
	return code
}

// folded is a text whose lines fit the terminal that errors go to, broken at blanks. What does not fit goes on behind the
// indent of its line; a word that is longer stays whole, so that it can be copied.
func (c *Console) folded(text string) string {
	if c.ErrWidth <= 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if runewidth.StringWidth(line) <= c.ErrWidth {
			b.WriteString(line + "\n")
			continue
		}
		b.WriteString(Wrap(line, c.ErrWidth, line[:len(line)-len(strings.TrimLeft(line, " "))]))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// inOneLine is an error's text in which what a server said has no line breaks of
// its own: they would look like lines of ours.
func inOneLine(err error) string {
	text := err.Error()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return text
	}
	said := p.Error()
	visible.Fields(p)
	return strings.Replace(text, said, p.Error(), 1)
}

// classify maps an error to an exit code and a remedy.
func (c *Console) classify(command string, err error) (code int, hint string) {
	_, parse := errors.AsType[*kong.ParseError](err)
	_, usage := errors.AsType[usageError](err)
	_, faults := errors.AsType[config.Faults](err)
	coder, coded := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	switch {
	case err == nil, errors.Is(err, config.ErrHelp):
		return ExitOK, ""
	case errors.Is(err, context.Canceled):
		return ExitInterrupted, ""
	case parse, usage, faults:
		return ExitUsage, fmt.Sprintf("Run %s --help for its flags and examples.", command)
	case coded:
		return coder.ExitCode(), ""
	default:
		return ExitFailure, c.remedy(err)
	}
}

// CommandOf names the command for messages: belfry batch upload.
func CommandOf(program string, ctx *kong.Context, err error) string {
	if p, ok := errors.AsType[*kong.ParseError](err); ok && ctx == nil {
		ctx = p.Context
	}
	if ctx == nil || ctx.Selected() == nil {
		return program
	}
	words := strings.Fields(ctx.Selected().FullPath())
	end := len(words)
	for i, w := range words {
		if strings.HasPrefix(w, "<") {
			end = i
			break
		}
	}
	return strings.Join(words[:end], " ")
}
