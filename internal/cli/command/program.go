package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

// Program is a command line.
type Program struct {
	Name, About string

	// Grammar is a pointer to a struct with kong's tags: the commands. A command
	// runs with a context, a [display.Console] and what Options bind.
	Grammar any
	Env     config.Lookup
	Options []kong.Option
}

// Main runs the program with the arguments that follow its name and returns its
// exit code. The first SIGINT or SIGTERM ends the command in an orderly way, the
// second at once.
func (p Program) Main(args []string, con *display.Console) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return p.Run(ctx, args, con)
}

// Run is Main with a context that ends the command. Without arguments it prints
// the help and fails.
func (p Program) Run(ctx context.Context, args []string, con *display.Console) int {
	con = con.Guarded()
	parser, err := p.parser(con.Out, kong.Bind(con), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return con.Fail(p.Name, err)
	}
	if len(args) > 0 && completes(args[0]) {
		return complete(parser.Model(), args, con)
	}
	bare := len(args) == 0
	if bare {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(asHelp(args))
	for _, w := range parser.Warnings() {
		_, _ = fmt.Fprintf(con.Err, "%s: warning: %s\n", p.Name, w)
	}
	if err == nil {
		err = refuseEmpty(kctx)
	}
	if err == nil {
		err = kctx.Run(parser)
	}
	err = nearest(err)
	code := con.Fail(display.CommandOf(p.Name, kctx, err), err)
	if bare {
		return display.ExitUsage
	}
	return code
}

// refuseEmpty refuses a flag that was given without a text: it comes from a variable of a shell that is not set, and would
// often mean all instead of one, as in pause --tenant "$TENANT" --lane bulk. A setting, which has a variable of the environment,
// may be emptied.
func refuseEmpty(kctx *kong.Context) error {
	for _, p := range kctx.Path {
		if f := p.Flag; f != nil && len(f.Envs) == 0 && f.Target.Kind() == reflect.String && f.Target.String() == "" {
			return display.Usagef("--%s is empty: give it a value, or leave it out", f.Name)
		}
	}
	return nil
}

// parser builds the program's.
func (p Program) parser(out io.Writer, opts ...kong.Option) (*config.Parser, error) {
	house := []kong.Option{kong.Name(p.Name), kong.Description(p.About), kong.Help(printHelp), kong.Bind(programName(p.Name))}
	return config.NewParser(p.Grammar, p.Env, out, slices.Concat(house, opts, codeMappers(), p.Options)...)
}
