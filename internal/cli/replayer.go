package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"syscall"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const aboutReplayer = `Dead letters: what failed for good, why, what a replay would do, and the replay itself.

    dlq-replayer drain --watch             # keep moving letters from the queues into the store
    dlq-replayer groups                    # what failed, by cause
    dlq-replayer simulate --fingerprint F  # what a replay would come to now; nothing is sent
    dlq-replayer replay run --simulation ID --canary 1% --stop-if-refail 20%

It works directly on the backend or, with --api, through a running server. A dispatcher must run for replayed letters to be delivered.

Exit codes: 0 done; 1 it failed; 2 wrong flags or settings; 3 a replay stopped itself; 130 interrupted.`

// replayer is the grammar of dlq-replayer.
type replayer struct {
	Drain    drainCmd    `cmd:"" help:"Move dead letters from the queues into the store."`
	Groups   groupsCmd   `cmd:"" help:"Show dead letters by cause, the most first."`
	List     listCmd     `cmd:"" help:"List dead letters, newest first."`
	Show     showCmd     `cmd:"" help:"Show one dead letter: its story, and what a replay would come to."`
	Stats    statsCmd    `cmd:"" help:"Sum dead letters, and tell which age out soon."`
	Simulate simulateCmd `cmd:"" help:"Say what a replay would come to now. Nothing is sent."`
	Replay   replayCmd   `cmd:"" help:"Send dead letters again, and control that."`
	Discard  discardCmd  `cmd:"" help:"Give dead letters up, with a reason; a tombstone stays."`
	Export   exportCmd   `cmd:"" help:"Write dead letters to an archive."`
	Import   importCmd   `cmd:"" help:"Store the letters of an archive that are not there yet."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// ReplayerMain runs dlq-replayer with the arguments that follow its name and
// returns its exit code. The first SIGINT or SIGTERM ends the command in an
// orderly way, the second at once.
func ReplayerMain(args []string, stdout, stderr io.Writer, stdin io.Reader) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return runReplayer(ctx, args, config.Environment(), &console{in: stdin, out: stdout, err: stderr, terminal: isTerminal(stderr)})
}

func runReplayer(ctx context.Context, args []string, env config.Lookup, con *console) int {
	var g replayer
	parser, err := config.NewParser(&g, env, con.out,
		kong.Name("dlq-replayer"), kong.Description(aboutReplayer), kong.Bind(con), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return con.fail("dlq-replayer", err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	for _, w := range parser.Warnings() {
		_, _ = fmt.Fprintf(con.err, "dlq-replayer: warning: %s\n", w)
	}
	if err == nil {
		err = kctx.Run()
	}
	return con.fail(commandOf("dlq-replayer", kctx, err), err)
}

// letters is how a command reaches the dead letters.
type letters struct {
	Door   config.Door  `embed:""`
	Store  config.Store `embed:""`
	Output format       `embed:""`
}

// Validate reports what is wrong with the settings.
func (l letters) Validate() error { return l.Door.Check(l.Store) }

// desk is the API, of a server or of this process.
type desk struct {
	*client.Client

	direct *app.Direct // nil: a server's
	suffix string      // of commands that the reader may run next
}

// with opens the API for one piece of work.
func (l letters) with(ctx context.Context, f func(*desk) error) error {
	agent := client.WithUserAgent("dlq-replayer/" + telemetry.Version())
	if l.Door.API != "" {
		c, err := client.New(l.Door.API, l.Door.Key.Reveal(), agent)
		if err != nil {
			return usageError{err.Error()}
		}
		return said(f(&desk{Client: c, suffix: " --api " + l.Door.API}))
	}
	if err := l.exists(); err != nil {
		return err
	}
	direct, err := app.OpenDirect(ctx, l.Store, zap.NewNop())
	if err != nil {
		return err
	}
	once := client.Retry{Attempts: 1} // there is no network that could fail
	c, err := client.New(app.DirectURL, "", agent, client.WithHTTPClient(direct.HTTP()), client.WithRetry(once))
	if err == nil {
		err = said(f(&desk{Client: c, direct: direct}))
	}
	return errors.Join(err, direct.Close(context.WithoutCancel(ctx)))
}

// exists refuses a data directory that is not there: a new one would be made,
// and an operator told that there are no dead letters.
func (l letters) exists() error {
	if l.Store.Backend != config.BackendEmbedded {
		return nil
	}
	if info, err := os.Stat(l.Store.Data); err != nil || !info.IsDir() {
		return usagef("--data: there is no directory %s; name the one of the service with BELFRY_DATA or --data, or its server with --api", l.Store.Data)
	}
	return nil
}

// said leaves of an error that the API answered what it said: whoever works on
// the backend directly has never heard of its paths.
func said(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p
	}
	return err
}

// missing names what the API says is not there.
func missing(what, id string, err error) error {
	if client.IsProblem(err, "not_found") {
		return fmt.Errorf("%s %q does not exist, or belongs to another tenant", what, id)
	}
	return err
}

// whoami names the operator for the record.
func whoami() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "dlq-replayer"
	}
	return u.Username
}
