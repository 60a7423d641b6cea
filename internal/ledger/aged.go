package ledger

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Aged is a notification as its retention sees it.
type Aged struct {
	Place      int64 // in the order in which notifications were accepted, from 1
	ID         push.ID
	Tenant     string
	AcceptedAt time.Time
	ChangedAt  time.Time // its last change; zero if the store does not know
	Progress   push.Progress
}

// AgedOf returns what is known of a notification without its place.
func AgedOf(n *push.Notification) Aged {
	return Aged{ID: n.ID, Tenant: n.Tenant, AcceptedAt: n.AcceptedAt, Progress: n.Progress}
}

// LastChange returns when something last happened to the notification.
func (a *Aged) LastChange() time.Time {
	p := &a.Progress
	last := a.AcceptedAt
	for _, t := range []time.Time{a.ChangedAt, p.StartedAt, p.CompletedAt, p.ReconciledAt} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// Rests reports whether nothing will happen to the notification unless somebody acts: every
// delivery has its outcome, or it is an upload, which waits for its caller alone.
func (a *Aged) Rests() bool {
	p := &a.Progress
	return p.State == push.StateUploading || p.Enqueued && !p.Unfinished()
}
