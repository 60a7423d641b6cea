package deliver

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// completion marks notifications of a single chunk as completed.
type completion struct {
	*timing

	notifications Notifications
	outcomes      Outcomes
}

// complete marks a notification of a single chunk as completed; fanout's check, which
// counts all lines, completes larger ones. It may be repeated. What is cancelled because its app is
// no more is left to who cancels the notification.
func (c *completion) complete(ctx context.Context, j *job) error {
	if j.head.term().Ended || j.n.Progress.Pages != 1 || j.n.Progress.Early || !j.lease.Line.Last || j.lease.Line.Ref.Seq != 0 {
		return nil
	}
	first := false
	n, err := ledger.AdvanceFrom(ctx, c.notifications, j.head.notification(), func(n push.Notification) (push.Progress, error) {
		p := n.Progress
		first = push.CanMove(p.State, push.StateCompleted)
		if first {
			p.State, p.CompletedAt, p.Enqueued = push.StateCompleted, c.now().UTC(), true
		}
		return p, nil
	})
	if err != nil {
		return fmt.Errorf("mark as completed: %w", err)
	}
	if first {
		c.outcomes.Completed(ctx, *j.traced(&n), j.lease.Line.Tally())
	}
	return nil
}
