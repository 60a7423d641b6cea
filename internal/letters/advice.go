package letters

import "github.com/belfry-push/belfry/internal/push"

// Advice is what an operator must know about a code first. The runbook has the rest.
type Advice struct {
	Cause   string // what is most likely wrong
	Check   string // how to tell, and whether it is fixed
	Replay  string // whether to replay or to discard
	Runbook string // section of docs/runbooks/dead-letters.md
}

// runbook is where the sections are; each is named after its code.
const runbook = "docs/runbooks/dead-letters.md#"

// AdviceFor returns the advice for the code of a letter or group: its last attempt's, or
// its own.
func AdviceFor(c push.Code) Advice {
	words, ok := advice[c]
	if !ok {
		words = [3]string{
			"A code that ends a delivery by itself; letters of it are rare.",
			"Read the letter's evidence.",
			"Discard, unless the evidence says otherwise.",
		}
	}
	return Advice{Cause: words[0], Check: words[1], Replay: words[2], Runbook: runbook + anchor(c.String())}
}

// wrappedAdvice returns the advice for a letter that holds another: an older version
// wrapped it and it has not been taken apart yet, or it is a newer version's.
func wrappedAdvice() Advice {
	return Advice{
		Cause:   "A dead letter was moved back to its queue, by SQS's redrive or by hand, and wrapped in this one.",
		Check:   "Nothing is lost: what is inside is as it was.",
		Replay:  "Keep it. dlq-replayer drain takes out what is in it; if it stays, a newer version of Belfry wrote that: drain with it.",
		Runbook: runbook + anchor(push.CodeUndecodable.String()),
	}
}

// anchor returns the fragment that Markdown renderers make of a heading.
func anchor(name string) string {
	out := make([]byte, 0, len(name))
	for i := range len(name) {
		if c := name[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			out = append(out, c)
		}
	}
	return string(out)
}

const (
	replayWhenUp    = "Replay with a canary when the check is good; add --expire-after if deadlines have passed."
	replayWhenFixed = "Fix first: nothing changes by itself. Then replay with a canary."
)

// advice has cause, check and replay of each code that letters have.
//
//nolint:gochecknoglobals // read-only table
var advice = map[push.Code][3]string{
	push.CodeFCMUnavailable: {
		"FCM was overloaded or down for longer than the attempts lasted.",
		"Status page of Firebase; the breaker of the credential is closed and new sends succeed.",
		replayWhenUp,
	},
	push.CodeFCMInternal: {
		"FCM failed inside, for longer than the attempts lasted.",
		"New sends succeed. If only some messages fail, compare them: FCM answers 500 to some it should refuse.",
		replayWhenUp,
	},
	push.CodeFCMQuotaExceeded: {
		"The project's quota was used up the whole time.",
		"Quota page of the Google Cloud console; the share of 429 among answers.",
		"Replay with --rate well below the free quota. Many letters of one device: discard all but the last.",
	},
	push.CodeFCMDeviceQuota: {
		"The device gets more messages than one device may.",
		"Letters of the same few devices; what their producer does.",
		"Discard all but the last of each device.",
	},
	push.CodeFCMTopicQuota: {
		"The topic gets more messages than one topic may.",
		"Letters of the same few topics.",
		"Replay with --rate 1 what still matters.",
	},
	push.CodeFCMUnauthorized: {
		"The service account's key was revoked or the clock is off.",
		"Send one notification with validate_only; compare the machine's time.",
		replayWhenFixed,
	},
	push.CodeFCMForbidden: {
		"The service account lost its role, the FCM API is disabled, or the project id is wrong.",
		"IAM page: role cloudmessaging.messages.create; API page: Firebase Cloud Messaging API enabled.",
		replayWhenFixed,
	},
	push.CodeNetRefused: {
		"FCM's endpoint could not be reached: firewall, proxy or routing.",
		"Connect to fcm.googleapis.com:443 from the dispatcher's host.",
		replayWhenUp,
	},
	push.CodeNetDNS: {
		"The name of FCM's endpoint did not resolve.",
		"Resolve fcm.googleapis.com on the dispatcher's host.",
		replayWhenUp,
	},
	push.CodeNetTLS: {
		"The TLS handshake failed: an intercepting proxy, old root certificates, or the clock.",
		"Open a TLS connection to fcm.googleapis.com:443 and look at the chain.",
		replayWhenFixed,
	},
	push.CodeCredential: {
		"No access token could be fetched: oauth2.googleapis.com away, or the key unusable.",
		"The dispatcher's log of the token refresh.",
		replayWhenFixed,
	},
	push.CodeAPNsUnavailable: {
		"Apple's push service failed or was overloaded behind FCM.",
		"Apple's system status; new sends to Apple devices succeed.",
		replayWhenUp,
	},
	push.CodeUnclassified: {
		"FCM answered something that this version does not know.",
		"Read the evidence; look for a newer version of Belfry.",
		"Replay a canary of one; go on only if it is delivered.",
	},
	push.CodeNetTimeout: {
		"FCM did not answer in time; some of these may have arrived.",
		"New sends succeed, latency is normal.",
		"Replay: a device replaces the earlier copy, it does not ring twice. At most once: never replayed.",
	},
	push.CodeNetReset: {
		"Connections broke after the request was written; some of these may have arrived.",
		"New sends succeed; look for a proxy that cuts long-lived connections.",
		"Replay: a device replaces the earlier copy, it does not ring twice. At most once: never replayed.",
	},
	push.CodeFCMNoName: {
		"Something answered in FCM's place, or FCM's answers were cut off; some of these may have arrived.",
		"Read the evidence: it has the first words of the answer. New sends are sent.",
		"Replay: a device replaces the earlier copy, it does not ring twice. At most once: never replayed.",
	},
	push.CodeAttemptsExhausted: {
		"Every attempt failed, and the list of recipients could not be read.",
		"Read the letter's body with the version that wrote it.",
		"Update, export and import; it can't be replayed as it is.",
	},
	push.CodeUnexpandable: {
		"The notification could not be turned into chunks.",
		"Read the letter's detail: what is missing or too large.",
		replayWhenFixed,
	},
	push.CodeUndecodable: {
		"A message that is not ours, or of another version, reached the queue.",
		"Read the letter's body; find the producer that wrote it.",
		"Fix the producer and let it send again; discard the letter. After an update of Belfry: replay.",
	},
	push.CodePoison: {
		"Workers died again and again while they sent to this recipient and to nobody else, so it may have been delivered; or the whole " +
			"message crashed or stalled whoever took it.",
		"The workers' logs at the time it died: a panic, or memory. What is special about this recipient's data?",
		"Update to a version that survives it, then replay a canary of one.",
	},
	push.CodeUndelivered: {
		"SNS could not deliver these events to the queue events, so nobody has handled them.",
		"Do the queue, its policy and its key let the topic in (belfry doctor)? Does the producer set more than ten message attributes?",
		"Fix it, then replay: an event older than its own ttl ends as expired.",
	},
	push.CodePayloadInvalid: {
		"The request in an event does not pass validation.",
		"Read the faults in the evidence, and the event in the letter's body.",
		"Discard, and let the producer send a corrected event.",
	},
}
