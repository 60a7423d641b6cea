package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/belfry-push/belfry/internal/push"
)

// Kind says what is wrong with DynamoDB, or with how it is asked. A conditional
// write that lost is none of these: it is push.ErrConflict or ledger.ErrFenced.
type Kind uint8

// The kinds of failure.
const (
	KindUnknown     Kind = iota
	KindThrottled        // too fast for a partition, a table or the account; Throttling says for which
	KindNoTable          // the table does not exist in this region
	KindDenied           // the credentials are good but lack a permission
	KindCredentials      // no credentials, or expired or wrong ones
	KindInvalid          // the request itself, for example an item above 400 KB
	KindUnavailable      // DynamoDB or the network failed; the write may have happened
	KindCancelled        // the caller's context ended
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case KindUnknown:
		return "failed"
	case KindThrottled:
		return "throttled"
	case KindNoTable:
		return "no such table"
	case KindDenied:
		return "permission denied"
	case KindCredentials:
		return "bad credentials"
	case KindInvalid:
		return "invalid request"
	case KindUnavailable:
		return "unavailable"
	case KindCancelled:
		return "cancelled"
	default:
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
}

// hint is what an operator can do about a failure of the kind.
func (k Kind) hint() string {
	switch k {
	case KindNoTable:
		return "check the region and the prefix, or make the tables with belfry provision"
	case KindDenied:
		return "grant the action that AWS names"
	case KindCredentials:
		return "renew or configure the AWS credentials"
	case KindUnknown, KindThrottled, KindInvalid, KindUnavailable, KindCancelled:
	}
	return ""
}

// outage is what the kind means to whoever waits for the call. A missing table or
// permission stays so until somebody changes it; the end of the caller's context
// speaks for itself.
func (k Kind) outage() push.Outage {
	switch k {
	case KindThrottled:
		return push.OutageThrottled
	case KindUnavailable:
		return push.OutageDown
	case KindCredentials:
		return push.OutageAccess // a role's are renewed, a clock is set
	case KindUnknown, KindNoTable, KindDenied, KindInvalid, KindCancelled:
	}
	return ""
}

// Error is a failed call to DynamoDB. It holds no attribute values.
type Error struct {
	Kind      Kind
	Operation string // as in AWS's API: PutItem
	Table     string
	// Throttling are AWS's reasons, as "TableWriteKeyRangeThroughputExceeded
	// arn:…": which table or index, reads or writes, and which limit
	// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html).
	Throttling []string
	Err        error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dynamodb %s on %s: %s", e.Operation, e.Table, e.Kind)
	if len(e.Throttling) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Throttling, ", "))
	}
	if hint := e.Kind.hint(); hint != "" {
		fmt.Fprintf(&b, " (%s)", hint)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the [Error] in err's chain, KindUnknown if there
// is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindUnknown
}

// classify wraps an SDK error and marks it with the outage that it means; nil
// stays nil.
func classify(operation, table string, err error) error {
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	return push.WithOutage(kind.outage(), &Error{Kind: kind, Operation: operation, Table: table, Throttling: throttling(err), Err: err})
}

func kindOf(err error) Kind {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return KindCancelled
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return kindBeforeAnswer(err)
	}
	// Codes of CommonErrors and of the DynamoDB operations
	// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
	switch api.ErrorCode() {
	case "ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "LimitExceededException",
		"Throttling", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "SlowDown",
		"BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete", "TransactionInProgressException":
		return KindThrottled
	case "InternalServerError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException",
		"RequestTimeout", "RequestTimeoutException":
		return KindUnavailable
	case "ResourceNotFoundException", "TableNotFoundException":
		return KindNoTable
	case "AccessDeniedException", "AccessDenied", "OptInRequired", "NotAuthorized":
		return KindDenied
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"SignatureDoesNotMatch", "RequestExpired":
		return KindCredentials
	case "ValidationException", "ValidationError", "SerializationException", "ItemCollectionSizeLimitExceededException":
		return KindInvalid
	}
	if api.ErrorFault() == smithy.FaultServer {
		return KindUnavailable
	}
	return kindOfStatus(err)
}

// kindOfStatus is for codes that are not known, as of something in between.
func kindOfStatus(err error) Kind {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	switch {
	case ok && answer.HTTPStatusCode() == http.StatusTooManyRequests:
		return KindThrottled
	case ok && answer.HTTPStatusCode() >= http.StatusInternalServerError:
		return KindUnavailable
	}
	return KindUnknown
}

// kindBeforeAnswer tells what went wrong where DynamoDB never answered.
func kindBeforeAnswer(err error) Kind {
	if sign, ok := errors.AsType[interface {
		error
		SigningError() bool
	}](err); ok && sign.SigningError() {
		return KindCredentials
	}
	// The SDK has no type for credentials that can't be had, only this wording
	// of its signing middlewares.
	for _, words := range []string{
		"failed to refresh cached credentials", "failed to retrieve credentials", "get identity", "failed to sign",
	} {
		if strings.Contains(err.Error(), words) {
			return KindCredentials
		}
	}
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return KindInvalid
	}
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return KindUnavailable
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return KindUnavailable // the answer began and broke off
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return KindUnavailable // a success that is no answer of DynamoDB's: something in between
	}
	if retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool() {
		return KindUnavailable
	}
	return kindOfStatus(err)
}

// throttling returns AWS's reasons. Three exceptions carry them.
func throttling(err error) []string {
	var reasons []types.ThrottlingReason
	if e, ok := errors.AsType[*types.ThrottlingException](err); ok {
		reasons = e.ThrottlingReasons
	}
	if e, ok := errors.AsType[*types.ProvisionedThroughputExceededException](err); ok {
		reasons = e.ThrottlingReasons
	}
	if e, ok := errors.AsType[*types.RequestLimitExceeded](err); ok {
		reasons = e.ThrottlingReasons
	}
	var out []string
	for _, r := range reasons {
		var words []string
		for _, w := range []*string{r.Reason, r.Resource} {
			if w != nil {
				words = append(words, *w)
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}
