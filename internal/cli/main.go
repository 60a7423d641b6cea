package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

// Services are the commands that run Belfry itself. Each returns when its work
// is done or soon after ctx ends, which is how it is told to stop; a stop that
// was asked for is no error. An error with a method ExitCode() int chooses the
// program's exit code.
type Services interface {
	Up(ctx context.Context, c config.Up) error
	Sim(ctx context.Context, c config.Sim) error
	Demo(ctx context.Context, c config.Demo) error
	Bench(ctx context.Context, c config.Bench) error

	// Provision makes what the AWS backend needs, or with c.Plan only looks. The
	// plan says what is there and what was done; it is there with some errors, too.
	Provision(ctx context.Context, c config.Provision) (provision.Plan, error)
	// Doctor examines where a service with these settings would run.
	Doctor(ctx context.Context, c config.Doctor) doctor.Report
}

// Main runs belfry with the arguments that follow its name and returns its exit
// code: see the Exit constants. The first SIGINT or SIGTERM ends the command in
// an orderly way, the second at once.
func Main(args []string, stdout, stderr io.Writer, stdin io.Reader, services Services) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, args, config.Environment(), services, &console{
		in: stdin, out: stdout, err: stderr, terminal: isTerminal(stderr),
	})
}

// console is where a command reads and writes: results to out, everything else
// to err, so that results can be piped.
type console struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // err is one
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func run(ctx context.Context, args []string, env config.Lookup, services Services, con *console) int {
	var g grammar
	parser, err := config.NewParser(&g, env, con.out,
		kong.Name("belfry"), kong.Description(about), kong.Bind(con),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(services, (*Services)(nil)))
	if err != nil {
		return con.fail("belfry", err)
	}
	bare := len(args) == 0
	if bare {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	for _, w := range parser.Warnings() {
		_, _ = fmt.Fprintf(con.err, "belfry: warning: %s\n", w)
	}
	if err == nil {
		err = kctx.Run()
	}
	code := con.fail(commandOf("belfry", kctx, err), err)
	if bare {
		return ExitUsage
	}
	return code
}
