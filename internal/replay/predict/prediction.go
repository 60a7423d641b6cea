package predict

import "github.com/belfry-push/belfry/internal/push"

// Prediction is what would happen to a letter if it were replayed now. The set is closed; a
// run counts the letters that it does not send by the same words.
type Prediction string

// The predictions. The first three are sent by a run, the others stay parked.
const (
	WouldSend      Prediction = "would_send"       // nothing stands against it
	WouldFailAgain Prediction = "would_fail_again" // it failed the same way before, and nothing has changed since
	BreakerOpen    Prediction = "breaker_open"     // it would wait on the queue: the provider is held off

	AlreadyDelivered Prediction = "already_delivered" // the ledger says sent
	MaybeDelivered   Prediction = "maybe_delivered"   // at most once, and an attempt may have arrived
	Settled          Prediction = "settled"           // it has another outcome by now
	InDelivery       Prediction = "in_delivery"       // its chunk is under way; a run looks again later
	Expired          Prediction = "expired"           // past its deadline, and no new one was given
	Cancelled        Prediction = "cancelled"         // by the caller
	Paused           Prediction = "paused"            // its batch is paused
	DeviceGone       Prediction = "device_gone"       // the address is not that device's or user's any more
	Quarantined      Prediction = "quarantined"       // the device is in quarantine
	OptedOut         Prediction = "opted_out"         // by the user
	Suppressed       Prediction = "suppressed"        // by another rule of ours
	NotificationGone Prediction = "notification_gone" // the ledger knows nothing of it any more
	PatchInvalid     Prediction = "patch_invalid"     // the patch does not fit its message, or breaks it
	Unsendable       Prediction = "unsendable"        // no queue would take its bytes, or none is meant to
	Taken            Prediction = "taken"             // another replay or a discard was faster
)

// Predictions lists every prediction, in the order in which tables show them.
func Predictions() []Prediction {
	return []Prediction{
		WouldSend, WouldFailAgain, BreakerOpen, AlreadyDelivered, MaybeDelivered, Settled, InDelivery, Expired, Cancelled, Paused,
		DeviceGone, Quarantined, OptedOut, Suppressed, NotificationGone, PatchInvalid, Unsendable, Taken,
	}
}

// Sends reports whether a run sends such letters.
func (p Prediction) Sends() bool { return p == WouldSend || p == WouldFailAgain || p == BreakerOpen }

// suppressedAs returns the prediction for a screen's objection.
func suppressedAs(c push.Code) Prediction {
	known := map[push.Code]Prediction{
		push.CodeDeviceQuarantined: Quarantined, push.CodeNoDevice: DeviceGone, push.CodeUserOptedOut: OptedOut,
	}
	if p, ok := known[c]; ok {
		return p
	}
	return Suppressed
}
