package cli

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

const about = `Belfry delivers push notifications through Firebase Cloud Messaging and can say of every one how it ended.

Try it without an account at Google:

    belfry up --sandbox                    # server and FCM simulator, on this machine
    belfry send --to-token any --title Hi  # in another terminal

Exit codes: 0 done, and for a send: everything was sent; 1 it failed; 2 wrong flags or settings; 3 a send finished but not everything was sent; 130 interrupted.`

// grammar is the tree of commands.
type grammar struct {
	Up    upCmd    `cmd:"" group:"run" help:"Run everything in one process: API, dispatcher and, with --sandbox, the FCM simulator."`
	Sim   simCmd   `cmd:"" group:"run" help:"Run the FCM simulator alone."`
	Demo  demoCmd  `cmd:"" group:"run" help:"Show it all in a minute: accept, fan out, deliver, fail, replay."`
	Bench benchCmd `cmd:"" group:"run" help:"Measure how fast this machine delivers."`

	Send         sendCmd         `cmd:"" group:"use" help:"Send a notification, to a few or to millions, and watch how it ends."`
	Batch        batchCmd        `cmd:"" group:"use" help:"Create, fill, start, pause, watch and cancel batches step by step."`
	Notification notificationCmd `cmd:"" group:"use" help:"Look at notifications, their deliveries, and cancel them."`
	Explain      explainCmd      `cmd:"" group:"use" help:"Explain one delivery: what happened to it, when and why."`
	Devices      devicesCmd      `cmd:"" group:"use" help:"Import and look up registered devices."`

	Provision provisionCmd `cmd:"" group:"operate" help:"Make what the AWS backend needs: queues, topics, tables and the bucket."`
	Doctor    doctorCmd    `cmd:"" group:"operate" help:"Find out why it would not work, and what to do about it."`
	Cost      costCmd      `cmd:"" group:"operate" help:"Show what it costs on AWS, estimated or measured."`

	Version versionCmd `cmd:"" group:"other" help:"Print the version."`
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
func (c *upCmd) Run(ctx context.Context, s Services) error { return s.Up(ctx, c.Up) }

type simCmd struct {
	config.Sim
}

// Help implements kong's HelpProvider.
func (simCmd) Help() string {
	return `It speaks FCM's HTTP v1 protocol and decides by the token: sim-unregistered-…, sim-quota-2-… and so on; any other is accepted. GET /_sim/stats counts what it saw. docs/simulator.md lists tokens and faults.

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

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(con *console) error {
	_, err := fmt.Fprintln(con.out, telemetry.Build())
	return err
}
