package push

import (
	"encoding/json"
	"time"
)

// Part is a part of a notification's recipients: those that the same push service
// serves, behind FCM, and so would be refused for the same reason.
type Part uint8

// The parts; their numbers are in memory only.
const (
	PartUnknown Part = iota // devices whose platform nobody has told
	PartAndroid
	PartIOS
	PartWeb
	PartTopic // topics and conditions
	parts
)

// Parts lists every part.
func Parts() []Part { return []Part{PartUnknown, PartAndroid, PartIOS, PartWeb, PartTopic} }

// String returns the part as it appears in the API: the platform's name, unknown
// or topic.
func (p Part) String() string {
	switch p {
	case PartAndroid:
		return string(PlatformAndroid)
	case PartIOS:
		return string(PlatformIOS)
	case PartWeb:
		return string(PlatformWeb)
	case PartTopic:
		return "topic"
	case PartUnknown, parts:
	}
	return "unknown"
}

// Part returns the part that the recipient belongs to.
func (r *Recipient) Part() Part {
	if !r.Address.Kind.IsDevice() {
		return PartTopic
	}
	switch r.Platform {
	case PlatformAndroid:
		return PartAndroid
	case PlatformIOS:
		return PartIOS
	case PlatformWeb:
		return PartWeb
	default:
		return PartUnknown
	}
}

// Hold says that a part of a notification waits for an operator: so many of it
// were refused for the same reason, which is not about the one address, that the
// others are expected to be.
type Hold struct {
	Code    Code      // the refusal; CodeOpen: the part is not held
	Refused int       // recipients that one dispatcher had seen refused when it gave the verdict
	Since   time.Time // of the verdict
	// Scattered says that others of the part get the message all the same. Then the
	// part is sent to, and who is refused with the code waits.
	Scattered bool
}

// Holds are a notification's holds, by part. The zero value holds nothing.
type Holds [parts]Hold

// Any reports whether something is held.
func (h *Holds) Any() bool { return *h != Holds{} }

// IsZero is the opposite of [Holds.Any], for JSON.
func (h Holds) IsZero() bool { return !h.Any() }

// Stopped reports whether sending to the part is stopped.
func (h *Holds) Stopped(p Part) bool { return h[p].Code != CodeOpen && !h[p].Scattered }

// StoppedFor reports whether a recipient of the part who was refused with the code
// waits for the operator, too.
func (h *Holds) StoppedFor(p Part, code Code) bool {
	return h.Stopped(p) || h[p].Code != CodeOpen && h[p].Code == code
}

// holdJSON is a hold as it is stored, in a list of those that there are.
type holdJSON struct {
	Platform  string    `json:"platform"`
	Code      string    `json:"code"`
	Refused   int       `json:"refused"`
	Since     time.Time `json:"since"`
	Scattered bool      `json:"scattered,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: a list.
func (h Holds) MarshalJSON() ([]byte, error) {
	list := []holdJSON{}
	for _, p := range Parts() {
		if hold := h[p]; hold.Code != CodeOpen {
			list = append(list, holdJSON{p.String(), hold.Code.String(), hold.Refused, hold.Since, hold.Scattered})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON implements [json.Unmarshaler]. A code or a platform that a newer
// program wrote is kept as one that is not known: what it holds stays held.
func (h *Holds) UnmarshalJSON(b []byte) error {
	var list []holdJSON
	if err := json.Unmarshal(b, &list); err != nil { //nolint:forbidigo // as it was stored
		return err
	}
	*h = Holds{}
	for _, in := range list {
		at := PartUnknown
		for _, p := range Parts() {
			if p.String() == in.Platform {
				at = p
			}
		}
		code, known := CodeNamed(in.Code)
		if !known || code == CodeOpen {
			code = CodeUnclassified
		}
		h[at] = Hold{code, in.Refused, in.Since, in.Scattered}
	}
	return nil
}
