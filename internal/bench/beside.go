package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
)

// underWay is how many recipients of a batch are sent to before a load beside it begins: its lane is full then.
const underWay = 5000

// acceptBeside measures single notifications of high priority at one rate while a batch of the bulk lane drains.
func (r *run) acceptBeside(ctx context.Context, api string, l *load) error {
	b, err := r.startBeside(ctx, api, l)
	if err != nil {
		return err
	}
	l.high = true
	begun := time.Now()
	before, err := l.accepted(ctx)
	if err != nil {
		return err
	}
	a, err := l.put(ctx, r.cfg.AcceptRate, r.cfg.For)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	then, err := r.api.Batch(ctx, b)
	if err != nil {
		return err
	}
	if then.Counts == nil || then.Done() {
		return fmt.Errorf("bench: the batch of %d ended before the load beside it: take more with --beside, or a shorter --for", r.cfg.Beside)
	}
	r.printf("accepting %d single notifications of high priority at %d/s, beside a batch of %d; counted from when each was due\n",
		len(a.accepted), r.cfg.AcceptRate, r.cfg.Beside)
	r.printArrivals(a)
	r.printf("  the batch        %d sent when the load began, %d when all of it was delivered: %.0f/s\n",
		before, then.Counts.Sent, float64(then.Counts.Sent-int64(before))/took.Seconds())
	return a.fault()
}

// startBeside uploads and starts a batch, and returns once it is well under way.
func (r *run) startBeside(ctx context.Context, api string, l *load) (id string, err error) {
	if r.api, err = client.New("http://"+api, ""); err != nil {
		return "", err
	}
	b, err := r.api.CreateBatch(ctx, client.Request{Message: json.RawMessage(message), Priority: "bulk"})
	if err != nil {
		return "", err
	}
	if _, err := r.api.UploadRecipients(ctx, b.ID, lines(r.cfg.Beside), client.UploadOptions{Offset: 1}); err != nil {
		return "", err
	}
	if _, err := r.api.StartBatch(ctx, b.ID); err != nil {
		return "", err
	}
	const every, patience = 50 * time.Millisecond, time.Minute
	tick := time.NewTicker(every)
	defer tick.Stop()
	for begun := time.Now(); ; {
		n, err := l.accepted(ctx)
		switch {
		case err != nil || n >= min(underWay, r.cfg.Beside/2):
			return b.ID, err
		case time.Since(begun) > patience:
			return "", errors.New("bench: nobody sends the batch")
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// accepted is how many messages the simulator has.
func (l *load) accepted(ctx context.Context) (int, error) {
	var stats struct{ Accepted int }
	err := l.call(ctx, http.MethodGet, "/_sim/stats", func(body io.Reader) error { return json.NewDecoder(body).Decode(&stats) })
	return stats.Accepted, err
}
