package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// canned answers every request with the same status and body.
type canned struct {
	status int
	body   string
	err    error
	torn   error // what reading ends with behind the body; nil for its good end
}

// tornReader fails where others end.
type tornReader struct{ err error }

func (r tornReader) Read([]byte) (int, error) { return 0, r.err }

func (c canned) Do(*http.Request) (*http.Response, error) {
	if c.err != nil {
		return nil, c.err
	}
	var body io.Reader = strings.NewReader(c.body)
	if c.torn != nil {
		body = io.MultiReader(body, tornReader{c.torn})
	}
	return &http.Response{
		StatusCode: c.status, Body: io.NopCloser(body),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
	}, nil
}

// cannedStore asks an endpoint that answers as told, once.
func cannedStore(c canned, credentials error) *Store {
	return New(dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: c, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, credentials
		}),
	}), Config{Prefix: "belfry"})
}

// fault is an error as DynamoDB writes it
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html).
func fault(status int, code, more string) canned {
	return canned{status: status, body: fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"AWS's words"%s}`, code, more)}
}

// outages is what kinds of errors mean to whoever waits; the others mean none.
func outages() map[table.Kind]push.Outage {
	return map[table.Kind]push.Outage{
		table.KindThrottled: push.OutageThrottled, table.KindUnavailable: push.OutageDown, table.KindCredentials: push.OutageAccess,
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	const reasons = `,"ThrottlingReasons":[{"reason":"TableWriteKeyRangeThroughputExceeded",` +
		`"resource":"arn:aws:dynamodb:us-east-1:123456789012:table/belfry-chunks"}]`
	const lower = `,"throttlingReasons":[{"reason":"TableWriteAccountLimitExceeded",` +
		`"resource":"arn:aws:dynamodb:us-east-1:123456789012:table/x"}]`
	for _, c := range []struct {
		name        string
		answer      canned
		credentials error
		want        table.Kind
		words       []string
	}{
		{
			"a hot partition", fault(400, "ProvisionedThroughputExceededException", reasons), nil, table.KindThrottled,
			[]string{"throttled", "TableWriteKeyRangeThroughputExceeded arn:aws:dynamodb:us-east-1:123456789012:table/belfry-chunks"},
		},
		{"the account's limit", fault(400, "ThrottlingException", lower), nil, table.KindThrottled, []string{"TableWriteAccountLimitExceeded"}},
		{"the request limit", fault(400, "RequestLimitExceeded", ""), nil, table.KindThrottled, nil},
		{
			"no table, or another region", fault(400, "ResourceNotFoundException", ""), nil, table.KindNoTable,
			[]string{"region", "prefix", "belfry provision"},
		},
		{"no permission", fault(400, "AccessDeniedException", ""), nil, table.KindDenied, []string{"grant", "AWS's words"}},
		{"expired credentials", fault(400, "ExpiredTokenException", ""), nil, table.KindCredentials, []string{"renew"}},
		{"unknown credentials", fault(400, "UnrecognizedClientException", ""), nil, table.KindCredentials, nil},
		{"a wrong signature", fault(400, "InvalidSignatureException", ""), nil, table.KindCredentials, nil},
		{"no credentials", canned{}, errors.New("no source of credentials"), table.KindCredentials, []string{"no source of credentials"}},
		{"a bad request", fault(400, "ValidationException", ""), nil, table.KindInvalid, []string{"invalid request"}},
		{"DynamoDB is down", fault(500, "InternalServerError", ""), nil, table.KindUnavailable, nil},
		{"something in between is down", canned{status: 503, body: "<html>"}, nil, table.KindUnavailable, nil},
		{
			"the network is down",
			canned{err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}},
			nil, table.KindUnavailable,
			[]string{"connection refused"},
		},
		{
			"a region that does not exist",
			canned{err: &net.DNSError{Name: "dynamodb.mars-1.amazonaws.com", Err: "no such host", IsNotFound: true}},
			nil, table.KindUnavailable,
			[]string{"mars-1"},
		},
		{"the connection breaks", canned{err: io.ErrUnexpectedEOF}, nil, table.KindUnavailable, nil},
		{"something in between that counts", fault(429, "SlowerPlease", ""), nil, table.KindThrottled, nil},
		{"something in between that fails, in JSON", fault(502, "BadGateway", ""), nil, table.KindUnavailable, nil},
		{
			"an answer that breaks off", canned{status: 200, err: nil, body: `{"Item":`, torn: io.ErrUnexpectedEOF}, nil, table.KindUnavailable, nil,
		},
		{"an answer that never ends", canned{status: 200, body: `{"Item":`, torn: os.ErrDeadlineExceeded}, nil, table.KindUnavailable, nil},
		{"something new", fault(400, "BrandNewException", ""), nil, table.KindUnknown, []string{"BrandNewException"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := cannedStore(c.answer, c.credentials)
			_, _, createErr := s.Create(t.Context(), newNotification(1))
			_, readErr := s.Notification(t.Context(), "ntf_x")
			_, batchErr := s.DevicesByAddress(t.Context(), "tenant", []push.Address{{Kind: push.KindToken, Value: "secret-token"}})
			_, queryErr := s.Counts(t.Context(), "ntf_x")
			deleteErr := s.Release(t.Context(), idempotencyRecord())
			advanceErr := s.Advance(t.Context(), "ntf_x", push.Progress{Version: 1})
			for op, err := range map[string]error{
				"PutItem on belfry-notifications": createErr, "GetItem on belfry-notifications": readErr, "BatchGetItem on belfry-devices": batchErr,
				"Query on belfry-chunks": queryErr, "DeleteItem on belfry-config": deleteErr, "UpdateItem on belfry-notifications": advanceErr,
			} {
				if got, want := push.OutageOf(err), outages()[c.want]; got != want {
					t.Errorf("%s: outage %q, want %q", op, got, want)
				}
				if got := table.KindOf(err); got != c.want {
					t.Errorf("%s: kind = %s, want %s: %v", op, got, c.want, err)
					continue
				}
				for _, w := range append(c.words, "dynamodb "+op) {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%s: %q does not say %q", op, err, w)
					}
				}
				if errors.Is(err, push.ErrConflict) || errors.Is(err, push.ErrNotFound) || strings.Contains(err.Error(), "secret-token") {
					t.Errorf("%s: error is %v", op, err)
				}
			}
		})
	}
}

// What the SDK itself thinks worth another try is an outage when its tries are
// used up, and so is everything that goes wrong between.
func TestOutages(t *testing.T) {
	t.Parallel()
	for code := range retry.DefaultThrottleErrorCodes {
		if _, err := cannedStore(fault(400, code, ""), nil).Notification(t.Context(), "ntf_x"); push.OutageOf(err) != push.OutageThrottled {
			t.Errorf("%s: outage %q, want %q", code, push.OutageOf(err), push.OutageThrottled)
		}
	}
	for code := range retry.DefaultRetryableErrorCodes {
		if _, err := cannedStore(fault(400, code, ""), nil).Notification(t.Context(), "ntf_x"); push.OutageOf(err) != push.OutageDown {
			t.Errorf("%s: outage %q, want %q", code, push.OutageOf(err), push.OutageDown)
		}
	}
}

// The SDK's budget of retries, used up by a long outage, changes nothing.
func TestOutageWithoutRetriesLeft(t *testing.T) {
	t.Parallel()
	s := New(dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: fault(500, "InternalServerError", ""), RetryMaxAttempts: 3,
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	}), Config{Prefix: "belfry"})
	empty := false
	for range 200 {
		_, err := s.Notification(t.Context(), "ntf_x")
		if push.OutageOf(err) != push.OutageDown {
			t.Fatalf("outage %q, want %q: %v", push.OutageOf(err), push.OutageDown, err)
		}
		empty = empty || strings.Contains(err.Error(), "quota exceeded")
	}
	if !empty {
		t.Error("the budget was never used up: the test shows nothing")
	}
}

func TestCancelledIsToldApart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cannedStore(fault(500, "InternalServerError", ""), nil).Notification(ctx, "ntf_x")
	if table.KindOf(err) != table.KindCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v of kind %s", err, table.KindOf(err))
	}
}
