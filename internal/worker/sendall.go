package worker

import (
	"context"
	"fmt"
)

// SendAll sends messages in order, in as few calls as count and size allow. It
// stops at the first error; if that wraps a [*BatchError], some messages of the
// failed call were sent.
func SendAll(ctx context.Context, sink Sink, msgs []Outgoing) error {
	for len(msgs) > 0 {
		n := Fitting(msgs)
		if err := sink.Send(ctx, msgs[:n]); err != nil {
			return fmt.Errorf("send %d messages: %w", n, err)
		}
		msgs = msgs[n:]
	}
	return nil
}

// Fitting returns how many of the first messages fit into one call of a [Sink]. It
// returns 1 if the first alone is too large. msgs must not be empty.
func Fitting(msgs []Outgoing) int {
	n, size := 0, 0
	for n < len(msgs) && n < MaxBatch && size+len(msgs[n].Body) <= MaxBodyBytes {
		size += len(msgs[n].Body)
		n++
	}
	return max(n, 1)
}
