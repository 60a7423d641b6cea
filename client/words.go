package client

// The words of the API that a program compares with. They are strings as they
// travel; a newer server may know more of them.

// State is where a notification or batch stands.
type State string

// The states of a notification.
const (
	StateUploading    State = "uploading" // batch: recipients may still be added
	StateAccepted     State = "accepted"  // durable; not yet planned
	StateSending      State = "sending"
	StateHeld         State = "held" // a part of it waits for you: see [Notification.Held]
	StatePaused       State = "paused"
	StateCompleted    State = "completed" // every delivery has its outcome
	StateCancelled    State = "cancelled"
	StateDeadLettered State = "dead_lettered" // it could not be expanded
	StateValid        State = "valid"         // answers [Request.ValidateOnly]: nothing was accepted
)

// States lists every state.
func States() []State {
	return []State{
		StateUploading, StateAccepted, StateSending, StateHeld, StatePaused, StateCompleted, StateCancelled, StateDeadLettered, StateValid,
	}
}

// Final reports whether nothing more will be sent unless somebody acts.
func (s State) Final() bool {
	return s == StateCompleted || s == StateCancelled || s == StateDeadLettered
}

// WaitReason says what a notification waits for.
type WaitReason string

// The reasons.
const (
	WaitUpload     WaitReason = "upload"     // its recipients, and its start
	WaitPaused     WaitReason = "paused"     // a resume
	WaitSuspended  WaitReason = "suspended"  // an operator, who paused everything, its tenant, app, lane or label: see the text
	WaitBrake      WaitReason = "brake"      // an operator: see [Notification.Held]
	WaitBreaker    WaitReason = "breaker"    // FCM, or the way to it, to be well again
	WaitQuota      WaitReason = "quota"      // the time that FCM named when too much was asked of it
	WaitCredential WaitReason = "credential" // its app's credential: there is none, or Google refuses it
	WaitSick       WaitReason = "sick"       // its turn: FCM fails most requests, so that few are made
	WaitDeferred   WaitReason = "deferred"   // a quota of its tenant or app, over which it was accepted: see the text
	WaitPlan       WaitReason = "plan"       // a dispatcher that plans it
	WaitRetry      WaitReason = "retry"      // the next attempt: everything that is open failed for now
	WaitThrottle   WaitReason = "throttle"   // its own throttle
)

// WaitReasons lists every reason.
func WaitReasons() []WaitReason {
	return []WaitReason{
		WaitUpload, WaitPaused, WaitSuspended, WaitBrake, WaitCredential, WaitBreaker, WaitQuota, WaitSick, WaitDeferred,
		WaitPlan, WaitRetry, WaitThrottle,
	}
}

// Priority is a lane.
type Priority string

// The priorities.
const (
	PriorityHigh   Priority = "high" // on the way to the phone too, unless the message says otherwise
	PriorityNormal Priority = "normal"
	PriorityBulk   Priority = "bulk"
)

// Priorities lists every priority.
func Priorities() []Priority { return []Priority{PriorityHigh, PriorityNormal, PriorityBulk} }

// Guarantee says what happens to a delivery of which nobody knows whether FCM took it.
type Guarantee string

// The guarantees.
const (
	AtLeastOnce Guarantee = "at_least_once" // tried again, flagged possible_duplicate
	AtMostOnce  Guarantee = "at_most_once"  // ends as [CodeUnknown]
)

// Platform is a device's.
type Platform string

// The platforms.
const (
	PlatformAndroid Platform = "android"
	PlatformIOS     Platform = "ios"
	PlatformWeb     Platform = "web"
	PlatformUnknown Platform = "unknown" // of a [Hold]: devices whose platform nobody has told
	PlatformTopic   Platform = "topic"   // of a [Hold]: topics and conditions
)

// DeviceState is where a device stands.
type DeviceState string

// The states of a device.
const (
	DeviceActive      DeviceState = "active"
	DeviceQuarantined DeviceState = "quarantined" // its address was called dead or invalid
)

// DeadLetterState is where a dead letter stands.
type DeadLetterState string

// The states of a dead letter.
const (
	DeadLetterParked    DeadLetterState = "parked"    // waits for an operator
	DeadLetterReplaying DeadLetterState = "replaying" // claimed by a replay, which may have sent it already
	DeadLetterReplayed  DeadLetterState = "replayed"  // sent again, once
	DeadLetterDiscarded DeadLetterState = "discarded" // given up by somebody who said why
)

// DeadLetterStates lists every state of a dead letter.
func DeadLetterStates() []DeadLetterState {
	return []DeadLetterState{DeadLetterParked, DeadLetterReplaying, DeadLetterReplayed, DeadLetterDiscarded}
}

// ReplayState is where a replay stands.
type ReplayState string

// The states of a replay.
const (
	ReplayRunning   ReplayState = "running"   // executed, or about to be
	ReplayPaused    ReplayState = "paused"    // by an operator
	ReplayStopped   ReplayState = "stopped"   // by itself: too many letters failed again
	ReplayCancelled ReplayState = "cancelled" // for good
	ReplayCompleted ReplayState = "completed" // every letter of its set was looked at
)

// Class groups outcome codes by what they mean for the sender.
type Class string

// The classes. ClassOpen is no outcome yet; ClassInvalid is of a report's rows
// that are refused upload lines.
const (
	ClassOpen         Class = "open"
	ClassSent         Class = "sent"          // FCM accepted it
	ClassRetryable    Class = "retryable"     // of an attempt: it will be tried again
	ClassAmbiguous    Class = "ambiguous"     // may have been delivered
	ClassPermanent    Class = "permanent"     // this recipient can't get this message
	ClassSuppressed   Class = "suppressed"    // Belfry chose not to send
	ClassExpired      Class = "expired"       // past expires_at before it could be sent
	ClassCancelled    Class = "cancelled"     // by the caller
	ClassDeadLettered Class = "dead_lettered" // attempts exhausted or unexpandable
	ClassInvalid      Class = "invalid"       // of a report's row: the upload line was refused
	ClassFailed       Class = "failed"        // of a filter: every outcome but sent, whatever its class
)

// Classes lists the classes of outcome; [ClassInvalid] and [ClassFailed] are none.
func Classes() []Class {
	return []Class{
		ClassOpen, ClassSent, ClassRetryable, ClassAmbiguous, ClassPermanent, ClassSuppressed, ClassExpired, ClassCancelled, ClassDeadLettered,
	}
}
