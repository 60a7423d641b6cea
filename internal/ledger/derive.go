package ledger

import "github.com/belfry-push/belfry/internal/push"

// StateOf returns the state that a notification shows: the stored one, or
// completed as soon as its counts say that every page is planned, no more can
// come, and nothing is open. The stored state follows when fanout next looks; nobody should have to
// wait for that to learn that all is done.
func StateOf(n *push.Notification, c *Counts) push.State {
	switch s := n.Progress.State; s {
	case push.StateAccepted, push.StateSending, push.StatePaused:
		if !n.Progress.Early && c.Done(n.Progress.Pages) {
			return push.StateCompleted
		}
		return s
	case push.StateUploading, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		return s
	default:
		return s
	}
}
