package h2

import "errors"

// Causes that have no error of their own.
var (
	errClosed    = errors.New("client is closed")
	errNoAnswer  = errors.New("no answer within the time-out")
	errNoStream  = errors.New("no free stream within the time-out")
	errStalled   = errors.New("the peer stopped reading")
	errSilent    = errors.New("the peer does not answer pings")
	errDrained   = errors.New("connection is drained")
	errGoAway    = errors.New("peer sent GOAWAY before it took the request")
	errMalformed = errors.New("malformed response")
	errBroken    = errors.New("the peer closed the connection")
)
