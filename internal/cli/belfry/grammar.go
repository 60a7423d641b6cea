package belfry

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/audits"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/live"
	"github.com/belfry-push/belfry/internal/cli/operate"
	"github.com/belfry-push/belfry/internal/cli/remote"
	"github.com/belfry-push/belfry/internal/cli/top"
	"github.com/belfry-push/belfry/internal/config"
)

const about = `Belfry delivers push notifications through Firebase Cloud Messaging and can say of every one how it ended.

Try it without an account at Google:

    belfry up --sandbox                    # server and FCM simulator, on this machine
    belfry send --to-token any --title Hi  # in another terminal

Exit codes: 0 done, and for a send: everything was sent; 1 it failed; 2 wrong flags or settings; 3 a send finished but not
everything was sent; 130 interrupted.`

// grammar is the tree of commands.
type grammar struct {
	Up    upCmd    `cmd:"" group:"run" help:"Run everything in one process: API, dispatcher and, with --sandbox, the FCM simulator."`
	Sim   simCmd   `cmd:"" group:"run" help:"Run the FCM simulator alone."`
	Demo  demoCmd  `cmd:"" group:"run" help:"Show it all in a minute: accept, fan out, deliver, fail, replay."`
	Bench benchCmd `cmd:"" group:"run" help:"Measure how fast this machine delivers."`

	Remote  remote.Commands  `embed:""`
	Operate operate.Commands `embed:""`
	Audits  audits.Commands  `embed:""`
	Live    live.Commands    `embed:""`
	Top     top.Commands     `embed:""`

	Connection connectionCmd `cmd:"" hidden:"" topic:"" group:"other" help:"How a command reaches the server. These flags belong to every command that uses one."`

	command.Common
}

type upCmd struct {
	config.Up
}

// Help implements kong's HelpProvider.
func (upCmd) Help() string {
	return `Examples:

    belfry up --sandbox
    BELFRY_API_KEY=… belfry up --listen :8080 --fcm-credentials key.json`
}

// Run serves until it is told to stop.
func (c *upCmd) Run(ctx context.Context, s Services, con *display.Console) error {
	out := con.Out
	if c.CloudWatch.EMF {
		out = con.Err // what CloudWatch reads is lines of metrics alone
	}
	return s.Up(ctx, c.Up, func(at allinone.Addresses) { greet(out, c.Up, at) })
}

type simCmd struct {
	config.Sim
}

// Help implements kong's HelpProvider.
func (simCmd) Help() string {
	return `It speaks FCM's HTTP v1 protocol and decides by the token: sim-unregistered-…, sim-quota-2-… and so on; any other is
accepted. GET /_sim/stats counts what it saw.

    belfry sim &
    BELFRY_FCM_ENDPOINT=http://127.0.0.1:8090/v1 belfry up`
}

// Run serves until it is told to stop.
func (c *simCmd) Run(ctx context.Context, s Services) error { return s.Sim(ctx, c.Sim) }

type demoCmd struct {
	config.Demo
}

// Run shows the demo.
func (c *demoCmd) Run(ctx context.Context, s Services) error { return s.Demo(ctx, c.Demo) }

type benchCmd struct {
	config.Bench
}

// Run measures.
func (c *benchCmd) Run(ctx context.Context, s Services) error { return s.Bench(ctx, c.Bench) }

// connectionCmd is a topic of help.
type connectionCmd struct {
	config.Remote
}

// Help implements kong's HelpProvider.
func (connectionCmd) Help() string {
	return `The key is read from BELFRY_API_KEY, or from the file that BELFRY_API_KEY_FILE names; a server on this machine may need
none. A path in the URL is kept, as behind a gateway:

    export BELFRY_API=https://push.example.com BELFRY_API_KEY_FILE=~/.belfry-key
    belfry notification list`
}

// Run says how the topic is read.
func (connectionCmd) Run(con *display.Console) error {
	_, err := fmt.Fprintln(con.Out, "belfry help connection shows this topic.")
	return err
}
