package replayer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/visible"
)

// follow shows a replay until nothing more happens to it. On a session of its own
// the process executes it, too. An interrupt pauses the replay.
func follow(ctx context.Context, con *display.Console, d *session, id string, o display.Format) error {
	_, _ = fmt.Fprintf(con.Err, "replay %s is running; Ctrl-C pauses it\n", id)
	watching, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	stop := d.execute(watching, id, failed)
	r, err := progress.New(con.Err, con.Terminal).Replay(watching,
		func(ctx context.Context) (client.Replay, error) { return d.Replay(ctx, id) })
	if ctx.Err() != nil {
		err := pause(ctx, con, d, id)
		stop()
		return err
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(con.Err, "go on with: dlq-replayer replay resume %s%s\n", id, d.suffix)
		return err
	}
	if err := o.One(con.Out, r, func() error { return printReplay(con, &r) }); err != nil {
		return err
	}
	if r.State == client.ReplayStopped {
		_, _ = fmt.Fprintf(con.Err, "when it is mended:  dlq-replayer replay resume %[1]s%[2]s\n"+
			"or leave the rest:  dlq-replayer replay cancel %[1]s%[2]s\n", id, d.suffix)
		if cause := sorted(r.RefailedBy); len(cause) > 0 {
			_, _ = fmt.Fprintf(con.Err, "what it means:      dlq-replayer advice %s\n", visible.Field(string(cause[0])))
		}
		return display.StatusError(display.ExitIncomplete)
	}
	return nil
}

// execute executes a replay on a session of its own, and tells failed if that
// fails. The function returned waits until what is in hand is finished.
func (d *session) execute(ctx context.Context, id string, failed context.CancelCauseFunc) (stop func()) {
	if d.direct == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := d.direct.Execute(ctx, id)
		// Another process that took it over goes on with it.
		if err != nil && ctx.Err() == nil && !errors.Is(err, replay.ErrTakenOver) {
			failed(err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// pause pauses a replay after an interrupt and says how to go on.
func pause(ctx context.Context, con *display.Console, d *session, id string) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	r, err := d.PauseReplay(ctx, id, whoami())
	switch {
	case client.IsProblem(err, "illegal_state"):
		_, _ = fmt.Fprintf(con.Err, "it had ended already: dlq-replayer replay status %s%s\n", id, d.suffix)
		return context.Canceled
	case err != nil:
		return fmt.Errorf("pause %s: %w", id, err)
	}
	_, _ = fmt.Fprintf(con.Err, "paused with %s letters sent; go on with: dlq-replayer replay resume %s%s\n", progress.Group(r.Sent), id,
		d.suffix)
	return context.Canceled
}
