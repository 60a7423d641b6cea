package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
)

// The exit codes of belfry.
const (
	ExitOK          = 0 // done; for a send: everything was sent
	ExitFailure     = 1 // it could not be done
	ExitUsage       = config.ExitUsage
	ExitIncomplete  = 3   // a send finished, but not everything was sent; a replay stopped itself
	ExitInterrupted = 130 // stopped by SIGINT or SIGTERM, as a shell reports it
)

// usageError is a mistake in the arguments that kong cannot know.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// statusError ends the program with a code after everything was said.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// ExitCode implements the interface that [Services] may use too.
func (e statusError) ExitCode() int { return int(e) }

// fail says what went wrong, and what to do about it, and returns the exit code.
func (c *console) fail(command string, err error) int {
	code, hint := classify(command, err)
	if quiet, ok := errors.AsType[statusError](err); ok {
		return int(quiet)
	}
	if code == ExitOK {
		return code
	}
	text := strings.ReplaceAll(err.Error(), "\n", "\n  ")
	if _, ok := errors.AsType[config.Faults](err); ok {
		text = "wrong settings\n  " + text
	}
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	_, _ = fmt.Fprintf(c.err, "%s: %s\n", command, text)
	if hint != "" {
		_, _ = fmt.Fprintln(c.err, hint)
	}
	return code
}

// classify maps an error to an exit code and a remedy.
func classify(command string, err error) (code int, hint string) {
	_, parse := errors.AsType[*kong.ParseError](err)
	_, usage := errors.AsType[usageError](err)
	_, faults := errors.AsType[config.Faults](err)
	coder, coded := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	problem, answered := errors.AsType[*client.Problem](err)
	_, network := errors.AsType[*url.Error](err)
	switch {
	case err == nil, errors.Is(err, config.ErrHelp):
		return ExitOK, ""
	case errors.Is(err, context.Canceled):
		return ExitInterrupted, ""
	case parse, usage, faults:
		return ExitUsage, fmt.Sprintf("Run %s --help for its flags and examples.", command)
	case answered && problem.Status == http.StatusUnauthorized:
		return ExitFailure, "Give the server's key with BELFRY_API_KEY or --api-key."
	case network:
		return ExitFailure, "Is the server running? Start one on this machine with belfry up --sandbox, or name another with BELFRY_API or --api."
	case coded:
		return coder.ExitCode(), ""
	default:
		return ExitFailure, ""
	}
}

// commandOf names the command for messages: belfry batch upload.
func commandOf(program string, ctx *kong.Context, err error) string {
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
