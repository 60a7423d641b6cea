package ledger

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Aged is a notification as its retention sees it.
type Aged struct {
	Place      string // among those that are kept as long, in the order in which they were accepted
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

// KeepFor returns for how long after its last change a notification is kept that was accepted with
// a bound of so many days (push.Progress.KeepDays), by a store that keeps nothing longer than most, 0 for no bound of
// its own. 0 is for ever.
func KeepFor(days int, most time.Duration) time.Duration {
	const day = 24 * time.Hour
	own := time.Duration(days) * day
	if own <= 0 || most > 0 && most < own {
		return most
	}
	return own
}

// Rests reports whether nothing will happen to the notification unless somebody acts: every
// delivery has its outcome, or it is an upload, which waits for its caller alone.
func (a *Aged) Rests() bool {
	p := &a.Progress
	return p.State == push.StateUploading || p.Enqueued && !p.Unfinished()
}
