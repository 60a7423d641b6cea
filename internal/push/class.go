package push

import "fmt"

// Class groups outcome codes by what they mean for the sender. The set is
// closed; switches over it are exhaustive.
type Class uint8

// The classes of outcome. ClassOpen is not an outcome: the delivery has none yet.
const (
	ClassOpen         Class = iota
	ClassSent               // FCM accepted it
	ClassRetryable          // will be tried again; never terminal
	ClassAmbiguous          // may have been delivered
	ClassPermanent          // this recipient can't get this message
	ClassSuppressed         // we chose not to send
	ClassExpired            // past expires_at before it could be sent
	ClassCancelled          // by the caller
	ClassDeadLettered       // attempts exhausted or unexpandable; waits in the dead-letter store
)

// Classes lists every class, in the order in which tables show them.
func Classes() []Class {
	return []Class{
		ClassOpen, ClassSent, ClassRetryable, ClassAmbiguous, ClassPermanent,
		ClassSuppressed, ClassExpired, ClassCancelled, ClassDeadLettered,
	}
}

// String returns the class as it appears in the API and in metric labels.
func (c Class) String() string {
	switch c {
	case ClassOpen:
		return "open"
	case ClassSent:
		return "sent"
	case ClassRetryable:
		return "retryable"
	case ClassAmbiguous:
		return "ambiguous"
	case ClassPermanent:
		return "permanent"
	case ClassSuppressed:
		return "suppressed"
	case ClassExpired:
		return "expired"
	case ClassCancelled:
		return "cancelled"
	case ClassDeadLettered:
		return "dead_lettered"
	default:
		return fmt.Sprintf("Class(%d)", uint8(c))
	}
}
