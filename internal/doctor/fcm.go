package doctor

import (
	"context"
	"errors"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// DryRunner asks FCM to check a message without delivering it; fcm.Sender is
// one.
type DryRunner interface {
	DryRun(ctx context.Context, t message.Template, a push.Address) error
}

// Opener opens the sender that a service would use, and returns how to close it.
type Opener func(ctx context.Context) (sender DryRunner, closeSender func(), err error)

const nameFCM = "FCM"

// FCM sends a message that FCM is asked to validate only, to a token that
// cannot exist. FCM looks at the credential first, so that its complaint about
// the token says that everything before it is right.
func FCM(open Opener) Check {
	return func(ctx context.Context) []Result {
		sender, closeSender, err := open(ctx)
		if err != nil {
			return []Result{failed(nameFCM, "our own check of the credentials said: "+
				err.Error(), "set BELFRY_FCM_CREDENTIALS to a service-account key file of the Firebase project (or adc), and BELFRY_FCM_PROJECT "+
				"where the file names none")}
		}
		defer closeSender()
		shown, err := message.NewTemplate([]byte(`{"notification":{"title":"belfry doctor"}}`), 0)
		if err != nil {
			return []Result{failed(nameFCM, err.Error(), "report it")}
		}
		to := push.Address{Kind: push.KindToken, Value: "belfry-doctor-no-such-token"}
		return []Result{judgeFCM(sender.DryRun(ctx, shown, to))}
	}
}

// judgeFCM reads an answer to the validation of a message for a token that
// cannot exist.
func judgeFCM(err error) Result {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return failed(nameFCM, "no answer in time", remedyNetwork)
	}
	code := push.CodeOf(err)
	words := code.Facts().Meaning
	if e, ok := errors.AsType[*push.Error](err); ok && e.Detail != "" {
		words += " " + errorSource(code) + e.Detail
	}
	remedy, known := remedies()[code]
	switch {
	case err == nil:
		return ok(nameFCM, "a message validates: credentials, project and the way there are right")
	case code == push.CodeFCMInvalidArgument, code == push.CodeFCMUnregistered:
		return ok(nameFCM, "it took the credentials and refused the made-up token, as it should")
	case known && code.Sick() && code != push.CodeFCMUnavailable && code != push.CodeFCMInternal:
		return failed(nameFCM, words, remedy)
	case known:
		return warning(nameFCM, words, remedy)
	default:
		return failed(nameFCM, err.Error(), "look the code up in internal/push/taxonomy.go, and report it if it makes no sense")
	}
}

// errorSource names the source of an error's detail, so that an operator does not ask FCM about an
// error of DNS.
func errorSource(code push.Code) string {
	switch code { //nolint:exhaustive // all others are FCM's own answers
	case push.CodeCredential:
		return "" // the sender has named them: the token endpoint, DNS, this machine
	case push.CodeNetDNS:
		return "DNS said: "
	case push.CodeNetTLS:
		return "The TLS handshake, or this machine's check of the certificate, said: "
	case push.CodeNetRefused, push.CodeNetTimeout, push.CodeNetReset:
		return "The network said: "
	case push.CodePayloadInvalid, push.CodePayloadTooLarge:
		return "Our own check said: "
	}
	return "FCM said: "
}

const remedyNetwork = "check the network, proxies and firewalls between this machine and the endpoint, and BELFRY_FCM_ENDPOINT"

// remedies says what to do about the codes that a validation can end with.
func remedies() map[push.Code]string {
	return map[push.Code]string{
		push.CodeFCMUnauthorized: "check that the service account still has this key, and the clock of this machine",
		push.CodeFCMForbidden: "give the service account the role Firebase Cloud Messaging API Admin, enable the Firebase Cloud Messaging API, " +
			"and check BELFRY_FCM_PROJECT",
		push.CodeCredential: "check that the key file is whole, that the service account is enabled, that this machine reaches " +
			"oauth2.googleapis.com, " +
			"and that its clock is right",
		push.CodeNetRefused: remedyNetwork,
		push.CodeNetDNS:     remedyNetwork,
		push.CodeNetTLS:     "check for a proxy that breaks TLS, and the root certificates of this machine",
		push.CodeNetTimeout: remedyNetwork,
		push.CodeNetReset:   remedyNetwork,

		push.CodeFCMUnavailable:      "wait and try again; https://status.firebase.google.com tells of outages",
		push.CodeFCMInternal:         "wait and try again; https://status.firebase.google.com tells of outages",
		push.CodeFCMQuotaExceeded:    "the project sends at its quota now: look who does, or ask Google for more",
		push.CodeFCMSenderIDMismatch: "check that BELFRY_FCM_PROJECT is the project of your apps",
	}
}
