package awsconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/belfry-push/belfry/internal/push"
)

// Error is a failed call to AWS with what is wrong and what to do.
type Error struct {
	Kind Kind
	What string // the resource, for people: "queue belfry-events in eu-central-1"
	Text string // what is wrong and what to do
	Err  error  // the SDK's error, with code and request id
}

// Error implements error.
func (e *Error) Error() string { return e.What + ": " + e.Text + " (" + e.Err.Error() + ")" }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// Explain wraps an error of the SDK into an [Error] about what, which names a
// resource for people, and marks it with the push.Outage that it means, if it
// is one. nil stays nil; an error that is the end of the caller's context is
// wrapped without an explanation, since nothing is wrong.
func Explain(err error, what string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	c := classify(err)
	return push.WithOutage(c.kind.outage(), &Error{Kind: c.kind, What: what, Text: c.text, Err: err})
}

// Code returns a reason that AWS gave for one entry of a batch as an error of
// the same table.
func Code(code, message, what string) error {
	return Explain(&smithy.GenericAPIError{Code: code, Message: message}, what)
}

// KindOf returns the kind of an explained error, or of one of the SDK's own;
// "" for nil and for the end of a context.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ""
	}
	return classify(err).kind
}

// classify finds the row of an error: by AWS's code, else by the status of its
// answer, else by why there was no answer.
func classify(err error) class {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if c, found := byCode(api.ErrorCode()); found {
			return c
		}
	}
	if isCredentials(err) {
		return row(KindCredentials) // an answer in the chain is the metadata service's, not AWS's
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() != 0 {
		if kind := byStatus(answer.HTTPStatusCode()); kind != KindUnclassified {
			return row(kind)
		}
	}
	return row(withoutAnswer(err))
}

func byCode(code string) (class, bool) {
	all := classes()
	i := slices.IndexFunc(all, func(c class) bool { return slices.Contains(c.codes, code) })
	if i < 0 {
		return class{}, false
	}
	return all[i], true
}

func row(kind Kind) class {
	all := classes()
	return all[slices.IndexFunc(all, func(c class) bool { return c.kind == kind })]
}

// byStatus is for answers without a code that we know: S3's HEAD has no body,
// and proxies answer HTML.
func byStatus(status int) Kind {
	switch {
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return KindRegion
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return KindDenied
	case status == http.StatusNotFound:
		return KindMissing
	case status == http.StatusPreconditionFailed:
		return KindConditional
	case status == http.StatusRequestEntityTooLarge:
		return KindTooLarge
	case status == http.StatusTooManyRequests:
		return KindThrottled
	case status >= http.StatusInternalServerError:
		return KindUnavailable
	default:
		return KindUnclassified
	}
}

// withoutAnswer is for calls that did not get to AWS.
func withoutAnswer(err error) Kind {
	if isRegion(err) {
		return KindRegion
	}
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return KindUnreachable
	}
	if broken(err) {
		return KindUnavailable
	}
	return KindUnclassified
}

// broken reports whether the connection failed under an answer, however that
// began: the SDK's own view of what is worth another try, and time-outs of
// reading, which it takes for a body that it does not understand.
func broken(err error) bool {
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return true
	}
	// A success that is no answer of the service's came from something in between,
	// such as a proxy's page.
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool()
}

func isRegion(err error) bool {
	_, missing := errors.AsType[*aws.MissingRegionError](err)
	text := err.Error() // the endpoint rules of the services have no error type
	return missing || strings.Contains(text, "Missing Region") || strings.Contains(text, "Invalid region")
}

func isCredentials(err error) bool {
	_, sso := errors.AsType[*ssocreds.InvalidTokenError](err)
	_, profile := errors.AsType[awsconfig.SharedConfigProfileNotExistError](err)
	// Before a call is signed: the chain of providers has no common error type.
	return sso || profile || strings.Contains(err.Error(), "get identity: ")
}
