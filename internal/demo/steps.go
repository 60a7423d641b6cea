package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/wire"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// event prints what the breaker does, above the progress bar.
func (s *show) event(e wire.Event) {
	if e.Type != wire.EventBreakerChanged {
		return
	}
	var b wire.BreakerChanged
	if err := json.Unmarshal(e.Data, &b); err != nil {
		return
	}
	why := ""
	if b.To == "open" {
		why = " because of " + b.Cause.String()
	}
	s.display.Printf("breaker: %s -> %s%s", b.From, b.To, why)
}

func (s *show) importDevices(ctx context.Context, c *recipients) error {
	begun := time.Now()
	res, err := s.api.ImportDevices(ctx, c.devices())
	if err != nil {
		return fmt.Errorf("import devices: %w", err)
	}
	if res.Invalid > 0 || res.Imported != int64(len(c.tokens)) {
		return fmt.Errorf("import devices: %d imported, %d refused, %d were sent", res.Imported, res.Invalid, len(c.tokens))
	}
	s.say("%s devices imported in %.1f s", progress.Group(res.Imported), time.Since(begun).Seconds())
	return nil
}

func (s *show) upload(ctx context.Context, file string) (string, error) {
	batch, err := s.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(message), Priority: "bulk"})
	if err != nil {
		return "", fmt.Errorf("create a batch: %w", err)
	}
	f, err := os.Open(file) //nolint:gosec // our own file
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	begun := time.Now()
	res, err := s.api.UploadRecipients(ctx, batch.ID, f, client.UploadOptions{Offset: 1})
	if err != nil {
		return "", fmt.Errorf("upload recipients: %w", err)
	}
	s.say("batch %s:\n  %s recipients uploaded in %.1f s", batch.ID, progress.Group(res.Accepted), time.Since(begun).Seconds())
	return batch.ID, nil
}

// deliver starts the batch, breaks FCM when two fifths are through, and watches
// until nothing is open.
func (s *show) deliver(ctx context.Context, id string) (client.Notification, error) {
	if _, err := s.api.StartBatch(ctx, id); err != nil {
		return client.Notification{}, fmt.Errorf("start the batch: %w", err)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	broken := make(chan error, 1)
	go func() { broken <- s.breakFCM(watching, uint64(s.cfg.Recipients)*2/5) }() //nolint:gosec // checked to be 100 and more
	final, err := s.display.Batch(ctx, func(ctx context.Context) (client.Notification, error) { return s.api.Batch(ctx, id) })
	if err != nil {
		return final, err
	}
	stop()
	return final, <-broken
}

// breakFCM waits until the simulator has accepted so many messages, then turns
// every answer into a 503 for a while.
func (s *show) breakFCM(ctx context.Context, after uint64) error {
	const look = 10 * time.Millisecond
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		st, err := s.sim.stats(ctx)
		if err != nil {
			return err
		}
		if st.Accepted >= after {
			s.display.Printf("FCM goes down for %.0f s", outage.Seconds())
			return s.sim.outage(ctx, outage)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the batch ended before the outage could begin: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
