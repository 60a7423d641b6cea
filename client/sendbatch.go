package client

import (
	"context"
	"fmt"
	"iter"
)

// SendBatch creates a batch, uploads the recipients while it ranges over them,
// and starts it. It survives broken connections (see [Uploader]) and returns
// as soon as the batch is started; follow it with [Client.Await]. Lines that
// the server refuses do not stop it: Notification.Invalid counts them, and
// [WithUploadProgress] sees them.
//
// After an error in between, the returned notification still names the batch,
// which then waits, unstarted, for its upload to go on or for a cancel. With
// [WithIdempotencyKey] the whole call may be made again, in another process
// too, with the same request and recipients: it finds the same batch, passes
// over as many recipients as the batch has lines, and does nothing if the batch
// is started already.
func (c *Client) SendBatch(ctx context.Context, req Request, recipients iter.Seq[Recipient], opts ...CallOption) (Notification, error) {
	n, err := c.CreateBatch(ctx, req, opts...)
	if err != nil {
		return n, err
	}
	// A replayed creation answers what it answered first, not how the batch
	// stands now.
	if gather(opts).key != "" {
		if n, err = c.Batch(ctx, n.ID); err != nil || n.State != StateUploading {
			return n, err
		}
	}
	there := int64(0)
	if n.Received != nil {
		there = *n.Received
	}
	up := c.Uploader(n.ID, there+1, opts...)
	number := int64(0)
	for r := range recipients {
		if number++; number <= there {
			continue
		}
		if err := up.Add(ctx, r); err != nil {
			return n, fmt.Errorf("batch %s: %w", n.ID, err)
		}
	}
	if _, err := up.Flush(ctx); err != nil {
		return n, fmt.Errorf("batch %s: %w", n.ID, err)
	}
	started, err := c.StartBatch(ctx, n.ID)
	if err != nil {
		return n, fmt.Errorf("batch %s is uploaded but not started: %w", n.ID, err)
	}
	return started, nil
}
