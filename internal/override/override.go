package override

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// State is what an operator wants a credential's breakers to be. The set is closed.
type State string

// The states.
const (
	Open      State = "open"      // nothing is sent
	Closed    State = "closed"    // no breaker opens
	Automatic State = "automatic" // they decide, and forget what they saw before
)

// Override is what an operator has decided of the breakers of a credential. It is stored, so names stay.
type Override struct {
	Credential string    `json:"credential"` // by its label, as the status shows it
	State      State     `json:"state"`
	By         string    `json:"by"`               // who decided it
	Reason     string    `json:"reason,omitempty"` // for people
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until,omitzero"` // zero: until it is reset
}

// Stands reports whether it holds the breakers at a time.
func (o *Override) Stands(now time.Time) bool {
	return (o.State == Open || o.State == Closed) && (o.Until.IsZero() || now.Before(o.Until))
}

// Text says it to people: breaker opened by ada until 12:56:34 UTC: FCM incident 42.
func (o *Override) Text() string {
	s := "breaker closed by " + o.By
	if o.State == Open {
		s = "breaker opened by " + o.By
	}
	if o.Until.IsZero() {
		s += " until it is reset"
	} else {
		s += " until " + o.Until.UTC().Format("15:04:05 UTC")
	}
	if o.Reason != "" {
		s += ": " + o.Reason
	}
	return s
}

// check returns what is wrong with an override that somebody asks for at a time, with pointers into the request.
func (o *Override) check(now time.Time) push.Faults {
	faults := push.CheckReason(o.Reason)
	if !o.Until.IsZero() && !o.Until.After(now) {
		faults = append(faults, push.Fault{
			Pointer: "/until", Code: push.FaultValue,
			Detail: "must be in the future: it is " + now.UTC().Format(time.RFC3339) + " on the server",
		})
	}
	return faults
}

// UnknownError is the error of a credential that nobody has heard of.
type UnknownError struct {
	Credential string
	Known      []string // labels
}

// mostKnown is how many known credentials an error names.
const mostKnown = 20

// Error implements error.
func (e *UnknownError) Error() string {
	s := fmt.Sprintf("there is no credential %q", e.Credential)
	if len(e.Known) == 0 {
		return s + "; none is known: a credential is once a dispatcher sends with it"
	}
	names := slices.Sorted(slices.Values(e.Known))
	more := ""
	if len(names) > mostKnown {
		names, more = names[:mostKnown], fmt.Sprintf(" and %d more", len(names)-mostKnown)
	}
	return s + strict.DidYouMean(e.Credential, e.Known) + "; known are " + strings.Join(names, ", ") + more
}

// AsUnknown returns the error of a credential that nobody has heard of, if err is one.
func AsUnknown(err error) (*UnknownError, bool) { return errors.AsType[*UnknownError](err) }
