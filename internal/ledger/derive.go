package ledger

import "github.com/belfry-push/belfry/internal/push"

// StateOf returns the state that callers see. It is the stored state, except that a
// notification is sending as soon as one of its pages is planned, completed as soon
// as every page is planned, no page can follow and no recipient is open, and held
// while a part of it waits for an operator. The stored state may be written later, or
// never, so callers must not depend on it.
func StateOf(n *push.Notification, c *Counts) push.State {
	switch s := n.Progress.State; s {
	case push.StateAccepted, push.StateSending, push.StatePaused:
		if !n.Progress.Early && c.Done(n.Progress.Pages) {
			return push.StateCompleted
		}
		switch {
		case s != push.StatePaused && n.Progress.Held.Any():
			return push.StateHeld
		case s == push.StateAccepted && c.PagesPlanned > 0:
			return push.StateSending
		}
		return s
	case push.StateHeld, push.StateUploading, push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
		return s
	default:
		return s
	}
}
