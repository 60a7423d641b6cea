package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Lookup finds an environment variable; [os.LookupEnv] is one.
type Lookup func(name string) (value string, ok bool)

// Environment is the process's own.
func Environment() Lookup { return os.LookupEnv }

// ErrHelp says that help or the version was asked for and has been printed:
// there is nothing to run.
var ErrHelp = errors.New("help was asked for")

// helpWidth bounds the lines of a help text on a wide terminal.
const helpWidth = 100

// Parser is kong with the house's rules: the environment is given, values that
// cannot be read are gathered instead of ending the parse at the first, and
// nothing exits.
type Parser struct {
	kong   *kong.Kong
	faults *Faults
	helped *bool

	warnings []string
}

// Warnings are what the last Parse read and nobody should have to, one sentence
// each.
func (p *Parser) Warnings() []string { return p.warnings }

// NewParser builds a parser for a grammar, a pointer to a struct with kong's
// tags. Help goes to stdout. The options come after the house's own.
func NewParser(grammar any, env Lookup, stdout io.Writer, opts ...kong.Option) (*Parser, error) {
	p := &Parser{faults: &Faults{}, helped: new(bool)}
	house := append(readers(p.faults),
		kong.Writers(stdout, io.Discard),
		kong.Exit(func(int) { *p.helped = true }),
		kong.Resolvers(p.environment(env)),
		kong.ConfigureHelp(kong.HelpOptions{
			Compact: true, FlagsLast: true, WrapUpperBound: helpWidth, NoExpandSubcommands: true,
		}),
		kong.ValueFormatter(formatValue),
		groups(),
	)
	k, err := kong.New(grammar, append(house, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	// From here on only the resolver reads the environment: kong would take
	// the process's own, which no test could give.
	err = kong.Visit(k.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			flag.Tag.Envs = nil
		}
		return next(nil)
	})
	if err != nil {
		return nil, fmt.Errorf("build the command line: %w", err)
	}
	p.kong = k
	return p, nil
}

// Parse fills the grammar. The error is [ErrHelp], [Faults] of flags and
// variables, or a *[kong.ParseError] about the arguments themselves; the context
// then tells the command as far as it was understood.
func (p *Parser) Parse(args []string) (*kong.Context, error) {
	ctx, err := p.kong.Parse(args)
	if *p.helped {
		return nil, ErrHelp
	}
	if bad, ok := errors.AsType[*kong.ParseError](err); ok {
		ctx = bad.Context // so that the caller can say of which command
	}
	all := *p.faults
	if more, ok := errors.AsType[Faults](err); ok {
		for _, f := range more {
			if !all.has(f.Flag) {
				all = append(all, f)
			}
		}
		err = nil
	}
	if err != nil {
		return ctx, err
	}
	return ctx, all.Err()
}

// environment resolves a flag that was not given from its variable, a secret
// also from a file. An empty variable counts as not set, except where an empty
// text says something.
func (p *Parser) environment(env Lookup) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if len(flag.Envs) > 0 && isSecret(flag) {
			if secret, ok := p.secretOf(env, flag); ok {
				return secret, nil
			}
			return nil, nil //nolint:nilnil // kong's way to say: not here
		}
		for _, name := range flag.Envs {
			if value, ok := env(name); ok && (value != "" || flag.Tag.Has("blank")) {
				return value, nil
			}
		}
		return nil, nil //nolint:nilnil // kong's way to say: not here
	})
}

func formatValue(v *kong.Value) string {
	if v.Flag == nil || len(v.Flag.Envs) == 0 {
		return v.Help
	}
	envs := v.Flag.Envs
	if isSecret(v.Flag) {
		envs = append(slices.Clone(envs), envs[0]+fileSuffix)
	}
	return v.Help + " [$" + strings.Join(envs, ", $") + "]"
}

// groups are the headings of help.
func groups() kong.Groups {
	return kong.Groups{
		"run":     "Run:",
		"use":     "Use a running server:",
		"operate": "Operate:",
		"other":   "Other:",
		"store":   "State:",
		"api":     "HTTP API:",
		"fcm":     "Firebase Cloud Messaging:",
		"send":    "Sending:",
		"sim":     "Simulator:",
		"target":  "Recipients, one kind:",
		"what":    "What to send:",
		"letters": "Which letters:",
		"edit":    "What changes in them:",
		"server":  "Server:",
		"proc":    "Process:",
	}
}
