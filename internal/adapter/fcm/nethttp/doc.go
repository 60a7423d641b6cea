// Package nethttp is the sender's transport on net/http's client. It costs more than package h2,
// but everybody knows it and others maintain it.
//
// It never sends a request twice. net/http sends again by itself only what it can
// read again, so a request's body can be read once; what net/http takes back
// unread, before anything was written, may go to another connection.
//
// It says of each failure whether the peer can have seen the request, as far as
// net/http lets it know: a request whose last byte net/http has not asked for
// cannot have arrived whole, and the words for REFUSED_STREAM and for a GOAWAY
// that leaves the request out are known. All else is ambiguous, and so is more
// than with package h2: a connection that breaks while a whole request waits to be
// written, or for flow control.
//
// It does not wait for the peer's settings on a new connection: if the peer takes
// fewer requests at a time than Config.MaxStreams, it refuses some at first.
package nethttp
