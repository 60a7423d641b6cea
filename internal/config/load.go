package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/visible"
)

// ExitUsage is the exit code of a program whose flags, arguments or
// environment were wrong, as of most command-line tools.
const ExitUsage = 2

// Program is a service with one configuration and no commands.
type Program struct {
	Name, About    string
	Env            Lookup
	Stdout, Stderr io.Writer
}

// Load fills cfg, a pointer to one of this package's services, from the
// arguments (without the program's name) and the environment. If it returns
// false there is nothing to run: help or the version was printed, or everything
// that is wrong was, and code is the exit code.
func (p Program) Load(cfg any, args []string) (code int, ok bool) {
	var extra struct {
		Version kong.VersionFlag `help:"Print the version and exit."`
	}
	stderr := visible.NewWriter(p.Stderr)
	if len(args) > 0 {
		switch args[0] {
		case "help":
			args = []string{"--help"}
		case "version":
			return p.version(args[1:], stderr), false
		}
	}
	parser, err := NewParser(cfg, p.Env, p.Stdout,
		kong.Name(p.Name), kong.Description(p.About), kong.Embed(&extra),
		kong.Vars{"version": telemetry.Build().Describe(p.Name)})
	if err == nil {
		_, err = parser.Parse(args)
	}
	if parser != nil {
		for _, w := range parser.Warnings() {
			_, _ = fmt.Fprintf(stderr, "%s: warning: %s\n", p.Name, w)
		}
	}
	switch {
	case err == nil:
		return 0, true
	case errors.Is(err, ErrHelp):
		return 0, false
	}
	_, _ = fmt.Fprintf(stderr, "%s: wrong configuration, nothing was started\n%v\nRun %s --help for every setting.\n", p.Name, err, p.Name)
	return ExitUsage, false
}

// version prints the version, for people or with -o json for scripts.
func (p Program) version(args []string, stderr io.Writer) (code int) {
	var v VersionCommand
	parser, err := NewParser(&v, p.Env, p.Stdout, kong.Name(p.Name+" version"), kong.Description("Print the version."))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err == nil {
		err = v.Print(p.Stdout, p.Name)
	}
	if err == nil || errors.Is(err, ErrHelp) {
		return 0
	}
	_, _ = fmt.Fprintf(stderr, "%s version: %v\n", p.Name, err)
	return ExitUsage
}

// VersionCommand is the command that prints a program's version.
type VersionCommand struct {
	Output string `short:"o" default:"text" enum:"text,table,json" placeholder:"FORMAT" help:"text or json."`
}

// Print prints it.
func (v VersionCommand) Print(w io.Writer, program string) error {
	if v.Output != "json" {
		_, err := fmt.Fprintln(w, telemetry.Build().Describe(program))
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Program string `json:"program"`
		telemetry.BuildInfo
	}{program, telemetry.Build()})
}
