package belfry

import (
	"context"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/operate"
	"github.com/belfry-push/belfry/internal/config"
)

// Services are the commands that run Belfry itself. Each returns when its work
// is done or soon after ctx ends, which is how it is told to stop; a stop that
// was asked for is no error. An error with a method ExitCode() int chooses the
// program's exit code.
type Services interface {
	// Up tells ready where it listens as soon as it does.
	Up(ctx context.Context, c config.Up, ready func(allinone.Addresses)) error
	Sim(ctx context.Context, c config.Sim) error
	Demo(ctx context.Context, c config.Demo) error
	Bench(ctx context.Context, c config.Bench) error
	operate.Services
}

// Main runs belfry with the arguments that follow its name and returns its exit
// code: see [display.ExitOK] and those beside it. The first SIGINT or SIGTERM
// ends the command in an orderly way, the second at once.
func Main(args []string, stdout, stderr io.Writer, stdin io.Reader, services Services) int {
	return program(config.Environment(), services).Main(args, display.NewConsole(config.Environment(), stdin, stdout, stderr))
}

// Run runs a command as Main does, until ctx ends, with the settings of env. What it prints goes to
// out, as on a terminal that is so many columns wide. The commands that run Belfry itself are not for it.
func Run(ctx context.Context, args []string, env config.Lookup, out io.Writer, width int, services operate.Services) int {
	p := program(env, nil)
	p.Options = []kong.Option{kong.BindTo(services, (*operate.Services)(nil))}
	return p.Run(ctx, args, &display.Console{In: strings.NewReader(""), Out: out, Err: out, Width: width})
}

func program(env config.Lookup, services Services) command.Program {
	return command.Program{
		Name: "belfry", About: about, Grammar: &grammar{}, Env: env,
		Options: []kong.Option{
			kong.BindTo(services, (*Services)(nil)), kong.BindTo(services, (*operate.Services)(nil)),
		},
	}
}

// Reference writes the page of the program's commands.
func Reference(w io.Writer) error { return program(config.Environment(), nil).Reference(w) }
