package push

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Error is a failed send, classified once at the edge. Code is never CodeSent
// or CodeOpen.
type Error struct {
	Code       Code
	RetryAfter time.Duration // what the provider asked for; 0 when it did not
	Detail     string        // the provider's words, at most a few hundred bytes, without tokens
	Err        error         // the cause, if there is one
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Code.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code that err carries: CodeSent for nil, the code of an
// [Error] anywhere in the chain, else CodeUnclassified.
func CodeOf(err error) Code {
	if err == nil {
		return CodeSent
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeUnclassified
}

// Fault is one thing that is wrong with what a caller sent.
type Fault struct {
	Pointer string `json:"pointer"` // RFC 6901 JSON pointer into the body, "" for the whole of it
	Code    string `json:"code"`    // one of the Fault… constants
	Detail  string `json:"detail"`  // what is wrong and what is allowed
}

// The codes of a [Fault].
const (
	FaultSyntax      = "syntax"      // not JSON, or not UTF-8
	FaultUnknown     = "unknown"     // a field that does not exist here
	FaultType        = "type"        // another JSON type was expected
	FaultMissing     = "missing"     // a required field is absent
	FaultValue       = "value"       // outside the allowed values or range
	FaultTooLarge    = "too_large"   // too many bytes or items
	FaultReserved    = "reserved"    // a name that FCM or Belfry keeps for itself
	FaultConflict    = "conflict"    // fields that exclude each other, or one that is there twice
	FaultUnsupported = "unsupported" // a field of a feature that does not exist yet
)

// FaultCodes lists every code of a [Fault], those of warnings last.
func FaultCodes() []string {
	return []string{
		FaultSyntax, FaultUnknown, FaultType, FaultMissing, FaultValue, FaultTooLarge, FaultReserved, FaultConflict, FaultUnsupported,
		WarnIgnored, WarnPlaceholder,
	}
}

// The codes of a [Fault] that is a warning: what was sent is taken all the same.
const (
	WarnIgnored     = "ignored"     // a value that means nothing was left out
	WarnPlaceholder = "placeholder" // a text has what only a template language would fill in
)

// Faults are all things wrong with one body; as an error they print one a line.
type Faults []Fault //nolint:errname // the word of the API and of every caller

// Error implements error.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "; ")
}

// String returns the pointer and the detail.
func (f Fault) String() string {
	if f.Pointer == "" {
		return f.Detail
	}
	return f.Pointer + ": " + f.Detail
}

// Below returns the faults of a value that stands at a pointer, with pointers
// from the root.
func (f Faults) Below(pointer string) Faults {
	moved := slices.Clone(f)
	for i := range moved {
		moved[i].Pointer = pointer + moved[i].Pointer
	}
	return moved
}

// Err returns nil when there are no faults, so that a typed nil never becomes
// a non-nil error.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Errors that several ports share. Adapters wrap them with what they know.
var (
	// ErrNotFound says that no such item exists (for this tenant).
	ErrNotFound = errors.New("not found")
	// ErrConflict says that a conditional write lost: the item changed since it
	// was read, or exists already.
	ErrConflict = errors.New("conflict")
	// ErrCursor says that a listing's cursor is not one that the listing gave.
	ErrCursor = errors.New("invalid cursor")
	// ErrNewerSchema says that stored bytes carry a version that this program
	// is too old to read.
	ErrNewerSchema = errors.New("written by a newer version")
)

// StateError says that an operation is illegal in the state that the item is
// in now, and what would be legal.
type StateError struct {
	ID    ID
	State string   // the state now
	Op    string   // what was asked
	Legal []string // what may be asked now
}

// Error implements error.
func (e *StateError) Error() string {
	legal := "nothing"
	if len(e.Legal) > 0 {
		legal = strings.Join(e.Legal, ", ")
	}
	return fmt.Sprintf("%s is %s: cannot %s; legal now: %s", e.ID, e.State, e.Op, legal)
}
