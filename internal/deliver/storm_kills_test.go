package deliver_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// The ports of a process that may be killed, behind faults.
type (
	stormQueue struct {
		*post
		p *process
	}
	// stormFCM refuses some requests, and takes some whose answer gets lost.
	stormFCM struct {
		deliver.Sender
		f    *faults
		p    *process
		lost *atomic.Int64 // how many were taken so
	}
)

func (s stormQueue) Send(ctx context.Context, msgs []worker.Outgoing) error {
	return s.p.call(func() error { return s.post.Send(ctx, msgs) })
}

func (s stormQueue) Receive(ctx context.Context, limit int, wait time.Duration) (got []worker.Message, err error) {
	return got, s.p.call(func() error { got, err = s.post.Receive(ctx, limit, wait); return err })
}

func (s stormQueue) Delete(ctx context.Context, msgs []worker.Message) error {
	return s.p.call(func() error { return s.post.Delete(ctx, msgs) })
}

func (s stormQueue) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	return s.p.call(func() error { return s.post.Extend(ctx, msgs, visibility) })
}

func (s stormFCM) Send(ctx context.Context, body []byte) (name string, err error) {
	ctx = context.WithoutCancel(ctx) // FCM takes what is under way when the process is killed
	return name, s.p.call(func() error {
		if s.f == nil {
			name, err = s.Sender.Send(ctx, body)
			return err
		}
		if s.f.draw() < s.f.throttled {
			return &push.Error{Code: push.CodeFCMQuotaExceeded, RetryAfter: time.Second}
		}
		name, err = s.Sender.Send(ctx, body)
		if err == nil && s.f.draw() < s.f.lost {
			s.lost.Add(1)
			return &push.Error{Code: push.CodeNetReset}
		}
		return err
	})
}
