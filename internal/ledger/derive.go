package ledger

import "github.com/belfry-push/belfry/internal/push"

// StateOf returns the state that a notification shows: the stored one, but
// sending as soon as one of its pages is planned, and completed as soon as its
// counts say that every page is, no more can come, and nothing is open. The
// stored state follows when fanout next looks, or never: nobody should have to
// wait for that to learn how it stands.
func StateOf(n *push.Notification, c *Counts) push.State {
	switch s := n.Progress.State; s {
	case push.StateAccepted, push.StateSending, push.StatePaused:
		if !n.Progress.Early && c.Done(n.Progress.Pages) {
			return push.StateCompleted
		}
		if s == push.StateAccepted && c.PagesPlanned > 0 {
			return push.StateSending
		}
		return s
	case push.StateUploading, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		return s
	default:
		return s
	}
}
