package config

import (
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/telemetry"
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
	parser, err := NewParser(cfg, p.Env, p.Stdout,
		kong.Name(p.Name), kong.Description(p.About), kong.Embed(&extra),
		kong.Vars{"version": telemetry.Build().String()})
	if err == nil {
		_, err = parser.Parse(args)
	}
	if parser != nil {
		for _, w := range parser.Warnings() {
			_, _ = fmt.Fprintf(p.Stderr, "%s: warning: %s\n", p.Name, w)
		}
	}
	switch {
	case err == nil:
		return 0, true
	case errors.Is(err, ErrHelp):
		return 0, false
	}
	_, _ = fmt.Fprintf(p.Stderr, "%s: wrong configuration, nothing was started\n%v\nRun %s --help for every setting.\n", p.Name, err, p.Name)
	return ExitUsage, false
}
