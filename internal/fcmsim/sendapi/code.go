package sendapi

// code is what became of one send request; Stats.ByCode counts them. The names are FCM's error codes
// (https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode) where it has one for the case.
type code uint8

const (
	codeOK              code = iota // accepted and answered
	codeValidated                   // validate_only, found valid
	codeInvalidArgument             // 400
	codeUnregistered                // 404
	codeSenderMismatch              // 403
	codeThirdPartyAuth              // 401, between FCM and APNs or a web push service
	codeQuotaExceeded               // 429
	codeUnavailable                 // 503
	codeInternal                    // 500
	codeUnauthenticated             // 401, the caller's own credential
	codePermission                  // 403, credential of another project
	codeHang                        // never answered
	codeDrop                        // accepted, but the stream was cut
	codeRefused                     // connection closed by an outage
	codeSubstitute                  // answered by somebody else in FCM's place
	codeCount
)

func (c code) String() string {
	switch c {
	case codeOK:
		return "OK"
	case codeValidated:
		return "VALIDATED"
	case codeInvalidArgument:
		return "INVALID_ARGUMENT"
	case codeUnregistered:
		return "UNREGISTERED"
	case codeSenderMismatch:
		return "SENDER_ID_MISMATCH"
	case codeThirdPartyAuth:
		return "THIRD_PARTY_AUTH_ERROR"
	case codeQuotaExceeded:
		return "QUOTA_EXCEEDED"
	case codeUnavailable:
		return "UNAVAILABLE"
	case codeInternal:
		return "INTERNAL"
	case codeUnauthenticated:
		return "UNAUTHENTICATED"
	case codePermission:
		return "PERMISSION_DENIED"
	case codeHang:
		return "HANG"
	case codeDrop:
		return "DROP"
	case codeRefused:
		return "REFUSED"
	case codeSubstitute:
		return "SUBSTITUTE"
	case codeCount:
	}
	return "UNKNOWN"
}

// Fate is how a request ends on the wire.
type Fate uint8

// The fates.
const (
	FateAnswer Fate = iota // with an answer
	FateHang               // with nothing, until the client gives up
	FateDrop               // with a cut stream, after the message was recorded
	FateRefuse             // with a closed connection
)

// Verdict is what the simulator decided about one request.
type Verdict struct {
	code code
	Fate Fate
	// Answer is nil when the message was accepted, because the answer then names it (see [Scratch]), and when there is
	// no answer.
	Answer *Answer
}

func answered(a *Answer) Verdict { return Verdict{code: a.code, Fate: FateAnswer, Answer: a} }
