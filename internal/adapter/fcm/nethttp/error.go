package nethttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// onceBody is a request's body, which can be read once.
type onceBody struct {
	mu    sync.Mutex // net/http may still read when the request has ended
	rest  []byte
	ended bool // nothing more is given
	done  bool // the last byte was given
}

// Read implements [io.Reader].
func (o *onceBody) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return 0, errBodyEnded
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	if len(o.rest) == 0 {
		o.done = true
		return n, io.EOF
	}
	return n, nil
}

// errBodyEnded makes a request whose body is cut off fail, so that the peer never takes it for a
// whole one.
var errBodyEnded = errors.New("the request has ended")

// Close implements [io.Closer]. The caller's bytes are the caller's again.
func (o *onceBody) Close() error {
	o.end()
	return nil
}

// end stops Read from returning more, and reports whether net/http has read the whole body: it
// cannot send what it has not read by now.
func (o *onceBody) end() (whole bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest, o.ended = nil, true
	return o.done
}

// classify returns what a failure means for a request. Whole reports whether net/http had read all
// of the body; if not, the peer cannot have processed the request.
func classify(caller, under context.Context, err error, whole bool) error {
	cause := err
	ended := context.Cause(under)
	if ended != nil {
		cause = ended
	}
	switch {
	case !whole && caller.Err() != nil:
		return caller.Err()
	case !whole:
		return &transport.Error{Kind: unsent(err), Err: cause}
	case notProcessed(err):
		return &transport.Error{Kind: transport.Refused, Err: err}
	case errors.Is(ended, errClosed):
		return &transport.Error{Kind: transport.Reset, Err: cause}
	case ended != nil:
		return &transport.Error{Kind: transport.Timeout, Err: cause}
	}
	return &transport.Error{Kind: transport.Reset, Err: err}
}

// notProcessed reports whether the peer said that it has not processed the request:
// by REFUSED_STREAM (RFC 9113 §8.7), or by a GOAWAY that leaves the request out
// (§6.8). net/http has no type for either, but would send the request again if it
// could, and says so in these words; when they change, the failure is ambiguous.
func notProcessed(err error) bool {
	text := err.Error()
	const cannotRetry = "http2: Transport: cannot retry err ["
	_, because, ok := strings.Cut(text, cannotRetry)
	return ok && (strings.Contains(because, "REFUSED_STREAM; received from peer]") || strings.Contains(because, "graceful shutdown GOAWAY]"))
}

// unsent returns the kind of failure that kept a request from being sent.
func unsent(err error) transport.Kind {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return transport.DNS
	}
	if aboutTLS(err) && !cutShort(err) {
		return transport.TLS
	}
	return transport.Refused
}

// aboutTLS reports whether a handshake failed, or did not agree on HTTP/2.
func aboutTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	op, remote := errors.AsType[*net.OpError](err)
	return certificate || record || alert || authority || remote && (op.Op == "remote error" || op.Op == "local error")
}

// cutShort reports whether the peer went away, which says nothing about TLS.
func cutShort(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
