package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/replay"
)

const aboutReplayer = `Dead letters: what failed for good, why, what a replay would do, and the replay itself.

    dlq-replayer drain --watch             # keep moving letters from the queues into the store
    dlq-replayer groups                    # what failed, by cause
    dlq-replayer simulate --fingerprint F  # what a replay would come to now; nothing is sent
    dlq-replayer replay run --simulation ID --canary 0.01 --stop-if-refail 0.2

It works directly on the backend; a dispatcher must run for replayed letters to be delivered.`

// replayer is the grammar of dlq-replayer.
type replayer struct {
	Drain    drainCmd    `cmd:"" help:"Move dead letters from the queues into the store."`
	Groups   groupsCmd   `cmd:"" help:"Show dead letters by cause, the most first."`
	List     listCmd     `cmd:"" help:"List dead letters, newest first."`
	Show     showCmd     `cmd:"" help:"Show one dead letter: its story, and what a replay would come to."`
	Simulate simulateCmd `cmd:"" help:"Say what a replay would come to now. Nothing is sent."`
	Replay   replayCmd   `cmd:"" help:"Send dead letters again, and control that."`
	Discard  discardCmd  `cmd:"" help:"Give dead letters up, with a reason; a tombstone stays."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// ReplayerMain runs dlq-replayer with the arguments that follow its name and
// returns its exit code. The first SIGINT or SIGTERM ends the command in an
// orderly way, the second at once.
func ReplayerMain(args []string, stdout, stderr io.Writer, stdin io.Reader) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	con := &console{in: stdin, out: stdout, err: stderr, terminal: isTerminal(stderr)}
	var g replayer
	parser, err := config.NewParser(&g, config.Environment(), stdout,
		kong.Name("dlq-replayer"), kong.Description(aboutReplayer), kong.Bind(con), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return con.fail("dlq-replayer", err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if err == nil {
		err = kctx.Run()
	}
	return con.fail(commandOf(kctx, err), err)
}

// letters is how a command reaches the dead letters.
type letters struct {
	Store  config.Store `embed:""`
	Output output       `embed:""`
}

// Validate reports what is wrong with the settings.
func (l letters) Validate() error { return config.Doctor{Store: l.Store}.ValidateStore() }

// with opens the room, quietly, for one piece of work.
func (l letters) with(ctx context.Context, f func(*replay.Room) error) error {
	room, closeRoom, err := app.OpenReplay(ctx, l.Store, zap.NewNop())
	if err != nil {
		return err
	}
	return errors.Join(f(room), closeRoom(context.WithoutCancel(ctx)))
}
