package replayer

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/config"
)

type drainCmd struct {
	Access config.LettersAccess `embed:""`
	Config config.Replayer      `embed:""`
	Keep   config.Retention     `embed:""`
	Watch  bool                 `help:"Go on until told to stop, with health and metrics; also execute replays that nobody executes, and age letters out. Works on the backend directly."`
	Output display.Format       `embed:""`
}

// Help implements kong's HelpProvider.
func (drainCmd) Help() string {
	return `A letter is in the store before its message leaves the queue: a drain may be broken off and repeated at any time, and several
may run at once. With --api the server drains, which takes the operator's key.`
}

// Validate reports what is wrong with the settings.
func (c *drainCmd) Validate() error {
	if c.Access.API != "" && c.Watch {
		return nil // the settings of the store are what --watch goes by; Run says so
	}
	return c.Access.Check(c.Config.Store)
}

// Run drains.
func (c *drainCmd) Run(ctx context.Context, con *display.Console) error {
	if c.Watch && c.Access.API != "" {
		return display.Usagef("--watch and --api (BELFRY_API): the watch works on the backend itself; leave --api out where the backend is, or " +
			"repeat dlq-replayer drain --api")
	}
	if c.Watch {
		log, closeLog, err := app.OpenLog(c.Config.Log, con.Err)
		if err != nil {
			return err
		}
		defer closeLog()
		return deadletters.DrainWatch(ctx, c.Config, c.Keep, log.With(zap.String("service", "dlq-replayer")), con.Out)
	}
	var (
		done client.Drained
		err  error
	)
	if c.Access.API != "" {
		done, err = c.remotely(ctx, con)
	} else {
		done, err = c.directly(ctx, con)
	}
	if err != nil && done.Messages == 0 {
		return err
	}
	if printing := c.Output.One(con.Out, done, func() error { return printDrained(con, &done) }); printing != nil {
		return printing
	}
	return err
}

// directly drains in this process.
func (c *drainCmd) directly(ctx context.Context, con *display.Console) (client.Drained, error) {
	log, closeLog, err := app.OpenLog(c.Config.Log, con.Err)
	if err != nil {
		return client.Drained{}, err
	}
	defer closeLog()
	room, closeRoom, err := deadletters.OpenLetters(ctx, c.Config.Store, log)
	if err != nil {
		return client.Drained{}, err
	}
	d, err := room.Drain(ctx)
	return client.Drained{Messages: d.Messages, Letters: d.Letters, Stored: d.Stored, Left: d.Left, Mended: d.Mended},
		errors.Join(err, closeRoom(context.WithoutCancel(ctx)))
}

// remotely has the server drain, as often as it takes, and says after each time how far it is.
func (c *drainCmd) remotely(ctx context.Context, con *display.Console) (client.Drained, error) {
	var all client.Drained
	l := letters{Access: c.Access}
	err := l.with(ctx, con, func(d *session) error {
		for {
			part, err := d.DrainDeadLetters(ctx)
			if err != nil {
				return err
			}
			all.Messages, all.Letters, all.Stored = all.Messages+part.Messages, all.Letters+part.Letters, all.Stored+part.Stored
			all.Left, all.Mended = max(all.Left, part.Left), all.Mended+part.Mended
			if !part.More {
				return nil
			}
			_, _ = fmt.Fprintf(con.Err, "draining: %s messages so far, %s letters\n", progress.Group(all.Messages), progress.Group(all.Letters))
		}
	})
	return all, err
}

func printDrained(con *display.Console, d *client.Drained) error {
	_, err := fmt.Fprintf(con.Out, "%s messages drained, %s letters, %s of them new; %s left for a newer program\n",
		progress.Group(d.Messages), progress.Group(d.Letters), progress.Group(d.Stored), progress.Group(d.Left))
	if err == nil && d.Mended > 0 {
		_, err = fmt.Fprintf(con.Out, "%s letters held others that had been moved off their queue; those are letters of their own again\n",
			progress.Group(d.Mended))
	}
	return err
}
