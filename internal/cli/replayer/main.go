package replayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const aboutReplayer = `Dead letters: what failed for good, why, what a replay would do, and the replay itself.

    dlq-replayer drain --watch             # keep moving letters from the queues into the store
    dlq-replayer groups                    # what failed, by cause
    dlq-replayer simulate --fingerprint F  # what a replay would come to now; nothing is sent
    dlq-replayer replay run --simulation ID

It works directly on the backend or, with --api, through a running server. A dispatcher must run for replayed letters to be
delivered.

Exit codes: 0 done; 1 it failed; 2 wrong flags or settings; 3 a replay stopped itself; 4 nothing matches, or nothing of it would
be sent; 130 interrupted.`

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

	Connection connectionCmd `cmd:"" hidden:"" topic:"" group:"other" help:"How a command reaches the dead letters. These flags belong to every command."`

	command.Common
}

// connectionCmd is a topic of help.
type connectionCmd struct {
	Access config.LettersAccess `embed:""`
	Store  config.Store         `embed:""`
}

// Help implements kong's HelpProvider.
func (connectionCmd) Help() string {
	return `With --api a command asks a running server, with the server's key. Without it the command works on the backend
directly, with the settings of the services: the data directory, or the AWS account of the standard environment.

    export BELFRY_DATA=/var/lib/belfry        # on the machine of the services
    export BELFRY_API=https://push.example.com BELFRY_API_KEY_FILE=~/.belfry-key`
}

// Run says how the topic is read.
func (connectionCmd) Run(con *display.Console) error {
	_, err := fmt.Fprintln(con.Out, "dlq-replayer help connection shows this topic.")
	return err
}

// Main runs dlq-replayer with the arguments that follow its name and
// returns its exit code. The first SIGINT or SIGTERM ends the command in an
// orderly way, the second at once.
func Main(args []string, stdout, stderr io.Writer, stdin io.Reader) int {
	return program(config.Environment()).Main(args, display.NewConsole(config.Environment(), stdin, stdout, stderr))
}

// Reference writes the page of the program's commands.
func Reference(w io.Writer) error { return program(config.Environment()).Reference(w) }

func program(env config.Lookup) command.Program {
	return command.Program{Name: "dlq-replayer", About: aboutReplayer, Grammar: &replayer{}, Env: env}
}

// letters is how a command reaches the dead letters.
type letters struct {
	Access config.LettersAccess `embed:""`
	Store  config.Store         `embed:""`
	Output display.Format       `embed:""`
}

// Validate reports what is wrong with the settings.
func (l letters) Validate() error { return l.Access.Check(l.Store) }

// session is the API, of a server or of this process.
type session struct {
	*client.Client

	direct *deadletters.Direct // nil: a server's
	suffix string              // of commands that the reader may run next
}

// with opens the API for one piece of work.
func (l letters) with(ctx context.Context, con *display.Console, f func(*session) error) error {
	if l.Access.API != "" {
		c, err := con.Connect("dlq-replayer", display.Server{URL: l.Access.API, Key: l.Access.Key.Reveal()})
		if err != nil {
			return err
		}
		return withoutRequest(f(&session{Client: c, suffix: " --api " + l.Access.API}))
	}
	if err := l.exists(); err != nil {
		return err
	}
	direct, err := deadletters.OpenDirect(ctx, l.Store, whoami(), zap.NewNop())
	if err != nil {
		return err
	}
	once := client.Retry{Attempts: 1} // there is no network that could fail
	agent := client.WithUserAgent("dlq-replayer/" + telemetry.Version())
	c, err := client.New(deadletters.DirectURL, "", agent, client.WithHTTPClient(direct.HTTP()), client.WithRetry(once))
	if err == nil {
		err = withoutRequest(f(&session{Client: c, direct: direct}))
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
		return display.Usagef(
			"--data: there is no directory %s; name the one of the service with BELFRY_DATA or --data, or its server with --api", l.Store.Data)
	}
	return nil
}

// withoutRequest leaves of an error that the API answered what it said: whoever works on
// the backend directly has never heard of its paths.
func withoutRequest(err error) error {
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
func whoami() string { return app.LocalUser("dlq-replayer") }
