package transport

import "fmt"

// Kind says what a failure means for the request.
type Kind uint8

// The kinds of failure. After Refused, DNS and TLS the peer has certainly not
// processed the request; after Reset and Timeout it may have.
const (
	Refused Kind = iota + 1 // no connection, or the peer said it did not process the request
	DNS                     // the name of the endpoint did not resolve
	TLS                     // the TLS handshake failed, or did not agree on HTTP/2
	Reset                   // the stream or the connection broke after the request was written
	Timeout                 // no answer in time
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case DNS:
		return "dns"
	case TLS:
		return "tls"
	case Reset:
		return "reset"
	case Timeout:
		return "timeout"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// Error is a request that got no answer.
type Error struct {
	Kind Kind
	Err  error // the cause, never nil
}

// Error implements error.
func (e *Error) Error() string { return e.Kind.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
