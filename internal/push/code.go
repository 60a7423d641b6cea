package push

import (
	"fmt"
	"slices"
)

// Code is the one reason why a delivery stands where it stands. The set is
// closed and small: a code fits in 7 bits, and its number is part of the
// ledger's storage format, so numbers are never reused or changed.
type Code uint8

// The outcome codes. What each means for retries, breakers and devices is in
// the table in taxonomy.go.
const (
	CodeOpen Code = 0 // no outcome yet

	CodeSent Code = 1

	CodeFCMUnavailable   Code = 10
	CodeFCMInternal      Code = 11
	CodeFCMQuotaExceeded Code = 12
	CodeFCMUnauthorized  Code = 13
	CodeFCMForbidden     Code = 14
	CodeNetRefused       Code = 15
	CodeNetDNS           Code = 16
	CodeNetTLS           Code = 17
	CodeCredential       Code = 18
	CodeUnclassified     Code = 19

	CodeAPNsUnavailable Code = 34
	CodeFCMDeviceQuota  Code = 35
	CodeFCMTopicQuota   Code = 36

	CodeNetTimeout Code = 30
	CodeNetReset   Code = 31
	CodeUnknown    Code = 32
	CodeFCMNoName  Code = 33

	CodeFCMUnregistered     Code = 40
	CodeFCMInvalidArgument  Code = 41
	CodeFCMSenderIDMismatch Code = 42
	CodeFCMThirdPartyAuth   Code = 43
	CodePayloadInvalid      Code = 44
	CodePayloadTooLarge     Code = 45

	CodeFCMInvalidUnspecified Code = 46
	CodeAPNsBadDeviceToken    Code = 47
	CodeAPNsTopic             Code = 48
	CodeAPNsLiveActivity      Code = 49

	CodeDeviceQuarantined Code = 60
	CodeNoDevice          Code = 61
	CodeDuplicate         Code = 62
	CodeUserOptedOut      Code = 63
	CodeCapFrequency      Code = 64
	CodeUserErased        Code = 65

	CodeExpired Code = 80

	CodeCancelled Code = 90

	CodeAttemptsExhausted Code = 100
	CodeUnexpandable      Code = 101
	CodeUndecodable       Code = 102
	CodePoison            Code = 103
	CodeUndelivered       Code = 104
)

// Codes returns the facts of every code, ordered by class.
func Codes() []Facts { return append([]Facts(nil), taxonomy[:]...) }

// OutcomeCodes returns the codes that a delivery can stand at, [CodeOpen] aside:
// those that end it.
func OutcomeCodes() []Facts {
	return slices.DeleteFunc(Codes(), func(f Facts) bool { return !f.Terminal || f.Planned })
}

// LetterCodes returns the codes that a dead letter can have: its own, and those that
// an attempt can come to before it.
func LetterCodes() []Facts {
	return slices.DeleteFunc(Codes(), func(f Facts) bool {
		switch f.Class {
		case ClassRetryable, ClassPermanent, ClassDeadLettered:
			return f.Planned
		case ClassAmbiguous:
			return f.Planned || f.Terminal // unknown is what at-most-once ends with, without a letter
		case ClassOpen, ClassSent, ClassSuppressed, ClassExpired, ClassCancelled:
		}
		return true
	})
}

// ClassesOf returns the classes of the codes, in the order of [Classes].
func ClassesOf(codes []Facts) []Class {
	return slices.DeleteFunc(Classes(), func(c Class) bool {
		return !slices.ContainsFunc(codes, func(f Facts) bool { return f.Class == c })
	})
}

// CodeNamed returns the code with that name.
func CodeNamed(name string) (Code, bool) {
	for i := range taxonomy {
		if taxonomy[i].Name == name {
			return taxonomy[i].Code, true
		}
	}
	return CodeOpen, name == "open"
}

// Facts returns what the taxonomy says of c. CodeOpen, and a number that the
// taxonomy does not know, have class open and are not terminal.
func (c Code) Facts() Facts {
	if int(c) < len(byCode) {
		if f := byCode[c]; f != nil {
			return *f
		}
	}
	return Facts{Code: c, Name: "open", Class: ClassOpen}
}

// Known reports whether the taxonomy has the code; CodeOpen counts as known.
func (c Code) Known() bool { return c == CodeOpen || int(c) < len(byCode) && byCode[c] != nil }

// String returns the code's name, "open" for CodeOpen.
func (c Code) String() string { return c.Facts().Name }

// Class returns the code's class.
func (c Code) Class() Class {
	if int(c) < len(byCode) && byCode[c] != nil {
		return byCode[c].Class
	}
	return ClassOpen
}

// Terminal reports whether the code ends a delivery.
func (c Code) Terminal() bool { return int(c) < len(byCode) && byCode[c] != nil && byCode[c].Terminal }

// Blame returns what a permanent refusal is about.
func (c Code) Blame() Blame {
	if int(c) < len(byCode) && byCode[c] != nil {
		return byCode[c].Blame
	}
	return BlameNobody
}

// Sick reports whether the code counts as a failure of the provider's health.
func (c Code) Sick() bool { return int(c) < len(byCode) && byCode[c] != nil && byCode[c].Sick }

// Refailed reports whether a replay that a recipient ended with failed again: it is dead
// once more, or refused for good.
func (c Code) Refailed() bool {
	class := c.Class()
	return class == ClassDeadLettered || class == ClassPermanent
}

// Unreached reports whether the request surely never got into FCM, so that trying
// again costs no attempt.
func (c Code) Unreached() bool {
	return int(c) < len(byCode) && byCode[c] != nil && byCode[c].Unreached
}

// MaybeDelivered reports whether FCM may have taken the message all the same.
func (c Code) MaybeDelivered() bool {
	return int(c) < len(byCode) && byCode[c] != nil && byCode[c].MaybeDelivered
}

// MarshalText implements [encoding.TextMarshaler]: the name.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; an unknown name is an
// error, because the taxonomy is closed.
func (c *Code) UnmarshalText(b []byte) error {
	got, ok := CodeNamed(string(b))
	if !ok {
		return fmt.Errorf("outcome code %q: not in the taxonomy", Clip(string(b)))
	}
	*c = got
	return nil
}
