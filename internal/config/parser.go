package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

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
	files    map[string]string // by the flag of a secret that came from a file: the variable that names it
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
		longHelp(),
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
			flag.PlaceHolder = placeholder(flag)
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
	if faults := notText(args); len(faults) > 0 {
		return nil, faults
	}
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
	for i, f := range all {
		if file, ok := p.files[f.Flag]; ok {
			all[i].Env = file // what is wrong is in there
		}
	}
	return ctx, all.Err()
}

// checkText notes a value from a variable, or from the file that it names, that
// is not UTF-8.
func (p *Parser) checkText(flag *kong.Flag, name, value string) {
	if detail := brokenText(value); detail != "" && !p.faults.has("--"+flag.Name) {
		*p.faults = append(*p.faults, Fault{Flag: "--" + flag.Name, Env: name, Detail: detail})
	}
}

// environment resolves a flag that was not given from its variable, a secret
// also from a file. An empty variable counts as not set, except where an empty
// text says something.
func (p *Parser) environment(env Lookup) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if len(flag.Envs) > 0 && isSecret(flag) {
			if secret, ok := p.secretOf(env, flag); ok {
				p.checkText(flag, flag.Envs[0], secret)
				return secret, nil
			}
			return nil, nil //nolint:nilnil // kong's way to say: not here
		}
		for _, name := range flag.Envs {
			if value, ok := env(name); ok && (value != "" || flag.Tag.Has("blank")) {
				p.checkText(flag, name, value)
				return value, nil
			}
		}
		return nil, nil //nolint:nilnil // kong's way to say: not here
	})
}

// placeholder is the word for a flag's value in help texts: its own, or one for
// what it reads.
func placeholder(flag *kong.Flag) string {
	switch {
	case flag.PlaceHolder != "" || flag.IsBool():
		return flag.PlaceHolder
	case flag.Target.Type() == reflect.TypeFor[time.Duration]():
		return "DURATION"
	case flag.Target.CanInt(), flag.Target.CanFloat():
		return "N"
	}
	if t := flag.Target.Type(); (t.Kind() == reflect.String || t.Kind() == reflect.Uint8) && t.PkgPath() != "" {
		return strings.ToUpper(t.Name()) // Class, Code
	}
	return "TEXT"
}

// formatValue is a flag's help with its default, unless the text tells it, and
// its variables.
func formatValue(v *kong.Value) string {
	text := v.Help
	if v.Flag == nil {
		return text
	}
	said := strings.Contains(strings.ToLower(text), "default")
	if v.HasDefault && v.Default != "" && v.Default != "-" && !said && !v.IsBool() {
		text = strings.TrimSuffix(text, ".") + " (default " + v.Default + ")."
	}
	envs := v.Flag.Envs
	if len(envs) == 0 {
		return text
	}
	if isSecret(v.Flag) {
		envs = append(slices.Clone(envs), envs[0]+fileSuffix)
	}
	return text + " [$" + strings.Join(envs, ", $") + "]"
}

// Model is the grammar as it was understood: commands, arguments and flags.
func (p *Parser) Model() *kong.Application { return p.kong.Model }

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
		"device":  "Registration:",
		"what":    "What to send:",
		"letters": "Which letters:",
		"which":   "Which ones:",
		"edit":    "What changes in them:",
		"server":  "Server:",
		"proc":    "Process:",
	}
}
