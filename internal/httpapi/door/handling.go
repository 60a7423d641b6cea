package door

import (
	"context"
	"time"
)

// requestTime bounds a request that is not a stream, from the end of its body
// on: two attempts at a store or queue that does not answer (awsconf.Attempt)
// and some more, which is as long as a person or a load balancer waits.
const requestTime = 8 * time.Second

// Handler serves a request with one whole answer.
type Handler func(ctx context.Context, x *Exchange) (Reply, error)

// Replying runs h within requestTime and writes its reply. The time of reading the body
// depends on the client, and has a limit of its own.
func Replying(h Handler) Step {
	return func(ctx context.Context, x *Exchange) error {
		if err := x.preload(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		return Unhurried(h)(ctx, x)
	}
}

// Unhurried writes the reply of h, which takes as long as its body does.
func Unhurried(h Handler) Step {
	return func(ctx context.Context, x *Exchange) error {
		rep, err := h(ctx, x)
		if err != nil {
			return err
		}
		return x.Answer(ctx, rep)
	}
}
