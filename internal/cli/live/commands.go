// Package live are the commands of belfry that show the system as it is now, on one screen.
package live

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// Commands are the commands, to embed in a grammar.
type Commands struct {
	Status  statusCmd  `cmd:"" group:"operate" help:"Show on one screen whether everything works, and if not who is affected, why, and what to do."`
	Breaker breakerCmd `cmd:"" group:"operate" help:"Show the circuit breakers of FCM credentials; hold one open or closed, or reset it."`
	Tail    tailCmd    `cmd:"" group:"operate" help:"Follow what happens as it happens: what is accepted, outcomes, breakers, batches, replays, the audit log."`
}

type statusCmd struct {
	Every  time.Duration  `group:"other" placeholder:"TIME" help:"With -o json: again and again, so often (from 1s), a line each."`
	Source direct.Source  `embed:""`
	Output display.Output `embed:""`
}

// Validate reports what is wrong with the flags.
func (c *statusCmd) Validate() error {
	switch {
	case c.Every == 0:
		return nil
	case !c.Output.JSON():
		return display.Usagef("--every: needs -o json; belfry top shows the status live")
	case c.Every < time.Second:
		return display.Usagef("--every: must be at least 1s (got %s)", c.Every)
	}
	return nil
}

// Help implements kong's HelpProvider.
func (statusCmd) Help() string {
	return `The first lines say it in words; below stand processes, credentials, lanes, queues, what is running and what that waits for,
dead letters by cause, and pauses. Rows in which nothing happens are left out, but for -o wide and json. With --api it asks a
running server, and a tenant's key sees what is its own. Without it, it reads the data directory or the backend on AWS itself.
Exit codes: 0 everything works; 6 somebody waits, is held back, or could be; 7 nothing is accepted or sent; 1 it cannot be known:

    belfry status --api https://push.example.com
    belfry status --data /var/lib/belfry -o json
    belfry status -o json --every 5s | jq -r .headline

belfry top shows it live on a terminal.`
}

// Run shows the status.
func (c *statusCmd) Run(ctx context.Context, con *display.Console) error {
	if c.Every > 0 {
		return c.again(ctx, con)
	}
	var s client.Status
	err := c.Source.With(ctx, con, func(api *client.Client) (err error) {
		s, err = api.Status(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		err = display.PrintJSON(con.Out, s)
	} else {
		err = Screen(con, &s, c.Output.Wide())
	}
	if err != nil {
		return err
	}
	switch s.Health {
	case client.HealthOK:
		return nil
	case client.HealthFailing:
		return display.StatusError(display.ExitFailing)
	case client.HealthDegraded:
	}
	return display.StatusError(display.ExitDegraded)
}

// again prints the status as a line of JSON until the context ends. What cannot be had is said on standard error, and asked
// for again: whoever watches wants to see the end of an outage too.
func (c *statusCmd) again(ctx context.Context, con *display.Console) error {
	return c.Source.With(ctx, con, func(api *client.Client) error {
		ticks := time.NewTicker(c.Every)
		defer ticks.Stop()
		for {
			s, err := api.Status(ctx)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				_, _ = fmt.Fprintf(con.Err, "belfry status: %v\n", err)
			default:
				if err := display.Line(con.Out, s); err != nil {
					return err
				}
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-ticks.C:
			}
		}
	})
}
