// Package live are the commands of belfry that show the system as it is now, on one screen.
package live

import (
	"context"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// Commands are the commands, to embed in a grammar.
type Commands struct {
	Status statusCmd `cmd:"" group:"operate" help:"Show on one screen whether everything works, and if not who is affected, why, and what to do."`
}

type statusCmd struct {
	Source direct.Source  `embed:""`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (statusCmd) Help() string {
	return `The first lines say it in words; below stand processes, credentials, lanes, queues, what is running and what that waits for,
dead letters by cause, and pauses. Rows in which nothing happens are left out, but for -o wide and json. With --api it asks a
running server, and a tenant's key sees what is its own. Without it, it reads the data directory or the backend on AWS itself.
Exit codes: 0 everything works; 6 somebody waits, is held back, or could be; 7 nothing is accepted or sent; 1 it cannot be known:

    belfry status --api https://push.example.com
    belfry status --data /var/lib/belfry -o json`
}

// Run shows the status.
func (c *statusCmd) Run(ctx context.Context, con *display.Console) error {
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
