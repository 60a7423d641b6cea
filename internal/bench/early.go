package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/belfry-push/belfry/client"
)

// earlyRate is how fast the early batch is uploaded, in lines a second: about
// what a warehouse's export gives.
const earlyRate = 5000

// early starts a batch before its upload and uploads at the pace of an export:
// how much of it is sent by the time that the last line is durable?
func (s *site) early(ctx context.Context) error {
	ingest, err := s.ingest(ctx)
	if err != nil {
		return err
	}
	dispatcher, err := s.dispatcher(ctx, notRecording)
	if err != nil {
		return err
	}
	id, err := s.create(ctx)
	if err != nil {
		return err
	}
	if _, err := s.api.StartBatchEarly(ctx, id); err != nil {
		return err
	}
	n := max(earlyRate, s.cfg.Recipients/10)
	begun := time.Now()
	first := make(chan time.Duration, 1)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() { first <- s.firstSent(watching, id, begun) }()
	if _, err := s.api.UploadRecipients(ctx, id, paced(ctx, n), client.UploadOptions{Offset: 1}); err != nil {
		return err
	}
	uploaded := time.Since(begun)
	then, err := s.api.Batch(ctx, id)
	if err != nil {
		return err
	}
	if _, err := s.api.StartBatch(ctx, id); err != nil {
		return err
	}
	const every = 50 * time.Millisecond
	final, _, err := s.poll(ctx, id, every)
	if err != nil {
		return err
	}
	if final.Counts == nil || then.Counts == nil || final.Counts.Sent != int64(n) {
		return fmt.Errorf("bench: early batch of %d: %+v", n, final.Counts)
	}
	stop()
	s.printf("  start=early     %d lines at %d/s: first sent after %.1f s, %d sent when the upload ended after %.1f s, all %.1f s later\n",
		n, earlyRate, (<-first).Seconds(), then.Counts.Sent, uploaded.Seconds(), (time.Since(begun) - uploaded).Seconds())
	dispatcher.stop()
	ingest.stop()
	return nil
}

// firstSent returns how long it took until the first recipient was sent to, or
// until ctx ended.
func (s *site) firstSent(ctx context.Context, id string, begun time.Time) time.Duration {
	for p, err := range s.api.Watch(ctx, id) {
		if err != nil || p.Counts != nil && p.Counts.Sent > 0 {
			break
		}
	}
	return time.Since(begun)
}

// paced streams n recipients at earlyRate, in tenths of a second.
func paced(ctx context.Context, n int) io.Reader {
	const steps = 10
	r, w := io.Pipe()
	go func() {
		tick := time.NewTicker(time.Second / steps)
		defer tick.Stop()
		for i := range n {
			if err := writeLine(w, i); err != nil {
				return // the reader is gone
			}
			if i%(earlyRate/steps) != 0 {
				continue
			}
			select {
			case <-ctx.Done():
				_ = w.CloseWithError(ctx.Err())
				return
			case <-tick.C:
			}
		}
		_ = w.Close()
	}()
	return r
}
