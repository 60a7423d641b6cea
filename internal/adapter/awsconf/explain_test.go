package awsconf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/belfry-push/belfry/internal/push"
)

// answer serves one error, in the protocol of a service.
type answer struct {
	status int
	header map[string]string
	body   string
}

func jsonError(status int, code string) answer {
	return answer{
		status,
		map[string]string{"Content-Type": "application/x-amz-json-1.0"},
		fmt.Sprintf(`{"__type":"com.amazonaws#%s","message":"because"}`, code),
	}
}

func xmlError(status int, code string) answer {
	return answer{status, map[string]string{"Content-Type": "text/xml"}, "<Error><Code>" + code + "</Code><Message>because</Message></Error>"}
}

func queryError(status int, code string) answer {
	return answer{
		status,
		map[string]string{"Content-Type": "text/xml"},
		"<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>because</Message></Error></ErrorResponse>",
	}
}

// against returns a configuration whose calls all get that answer.
func against(t *testing.T, a answer) aws.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.body))
	}))
	t.Cleanup(server.Close)
	return testConfig(server.URL, server.Client())
}

func testConfig(url string, client *http.Client) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(url), HTTPClient: client, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	}
}

func callSQS(ctx context.Context, cfg aws.Config) error {
	_, err := sqs.NewFromConfig(cfg).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	return err
}

func callSNS(ctx context.Context, cfg aws.Config) error {
	_, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: aws.String("arn"), Message: aws.String("m")})
	return err
}

func callDynamoDB(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("table")})
	return err
}

func callS3(ctx context.Context, cfg aws.Config) error {
	_, err := s3.NewFromConfig(cfg).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
	return err
}

func headS3(ctx context.Context, cfg aws.Config) error {
	_, err := s3.NewFromConfig(cfg).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("bucket")})
	return err
}

// What AWS answers, through the SDK's own clients, becomes what to do.
func TestExplainAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		call   func(context.Context, aws.Config) error
		answer answer
		kind   Kind
		text   string // in the error
	}{
		{"SQS: no such queue", callSQS, jsonError(400, "QueueDoesNotExist"), KindMissing, "belfry provision"},
		{"SQS: no such queue, old code", callSQS, answer{400, map[string]string{
			"Content-Type": "application/x-amz-json-1.0", "X-Amzn-Query-Error": "AWS.SimpleQueueService.NonExistentQueue;Sender",
		}, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}`}, KindMissing, "AWS_REGION"},
		{"SQS: denied", callSQS, jsonError(403, "AccessDeniedException"), KindDenied, "policies"},
		{"SQS: throttled", callSQS, jsonError(403, "RequestThrottled"), KindThrottled, "slow down"},
		{"SQS: key", callSQS, jsonError(400, "KmsDisabled"), KindEncryption, "KMS"},
		{"SQS: expired", callSQS, jsonError(403, "ExpiredToken"), KindExpired, "sign in again"},
		{"SQS: unknown key id", callSQS, jsonError(403, "InvalidClientTokenId"), KindCredentials, "AWS_ACCESS_KEY_ID"},
		{"SQS: a fault of its own", callSQS, jsonError(500, "SomethingNew"), KindUnavailable, "trouble"},
		{"SNS: no such topic", callSNS, queryError(404, "NotFound"), KindMissing, "belfry provision"},
		{"SNS: denied", callSNS, queryError(403, "AuthorizationError"), KindDenied, "policies"},
		{"DynamoDB: no such table", callDynamoDB, jsonError(400, "ResourceNotFoundException"), KindMissing, "belfry provision"},
		{"DynamoDB: bad credentials", callDynamoDB, jsonError(400, "UnrecognizedClientException"), KindCredentials, "AWS_PROFILE"},
		{"DynamoDB: expired", callDynamoDB, jsonError(400, "ExpiredTokenException"), KindExpired, "expired"},
		{"DynamoDB: throttled", callDynamoDB, jsonError(400, "ProvisionedThroughputExceededException"), KindThrottled, "throttled"},
		{"DynamoDB: condition", callDynamoDB, jsonError(400, "ConditionalCheckFailedException"), KindConditional, "conditional"},
		{"S3: no such bucket", callS3, xmlError(404, "NoSuchBucket"), KindMissing, "prefix"},
		{"S3: another region", callS3, xmlError(301, "PermanentRedirect"), KindRegion, "AWS_REGION"},
		{"S3: another region, signed for this one", callS3, xmlError(400, "AuthorizationHeaderMalformed"), KindRegion, "AWS_REGION"},
		{"S3: denied, without a body", headS3, answer{status: 403}, KindDenied, "policies"},
		{"S3: elsewhere, without a body", headS3, answer{status: 301}, KindRegion, "AWS_REGION"},
		{"S3: slow down", callS3, xmlError(503, "SlowDown"), KindThrottled, "slow down"},
		{"S3: clock", callS3, xmlError(403, "RequestTimeTooSkewed"), KindClock, "clock"},
		{
			"a page of a network that wants a sign-in", callSQS,
			answer{200, map[string]string{"Content-Type": "text/html"}, "<html>sign in</html>"},
			KindUnavailable, "trouble",
		},
		{"the same, for XML", callS3, answer{200, map[string]string{"Content-Type": "text/html"}, "<html>sign in"}, KindUnavailable, "trouble"},
		{
			"a proxy's page", callSQS,
			answer{502, map[string]string{"Content-Type": "text/html"}, "<html>bad gateway</html>"},
			KindUnavailable,
			"trouble",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cause := c.call(t.Context(), against(t, c.answer))
			if cause == nil {
				t.Fatal("the call succeeded")
			}
			err := Explain(cause, "queue q in us-east-1")
			if got := KindOf(err); got != c.kind {
				t.Errorf("kind %q, want %q: %v", got, c.kind, err)
			}
			if got := push.OutageOf(err); got != c.kind.outage() {
				t.Errorf("outage %q, want %q", got, c.kind.outage())
			}
			if KindOf(cause) != c.kind {
				t.Errorf("unexplained, the kind is %q", KindOf(cause))
			}
			for _, want := range []string{"queue q in us-east-1: ", c.text, cause.Error()} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if !errors.Is(err, cause) {
				t.Error("the cause is lost")
			}
		})
	}
}

func TestExplainCallsThatDidNotGetThere(t *testing.T) {
	t.Parallel()
	reachable := testConfig("http://127.0.0.1:1", http.DefaultClient) // nobody listens on port 1
	noRegion := reachable.Copy()
	noRegion.Region, noRegion.BaseEndpoint = "", nil
	noCredentials := reachable.Copy()
	noCredentials.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	for _, c := range []struct {
		name string
		cfg  aws.Config
		kind Kind
	}{
		{"nobody there", reachable, KindUnreachable},
		{"no region", noRegion, KindRegion},
		{"no credentials", noCredentials, KindCredentials},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, call := range []func(context.Context, aws.Config) error{callSQS, callSNS, callDynamoDB, callS3} {
				if err := call(t.Context(), c.cfg); KindOf(err) != c.kind {
					t.Errorf("kind %q, want %q: %v", KindOf(err), c.kind, err)
				}
			}
		})
	}
}

func TestExplainLeavesTheEndOfAContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Explain(callSQS(ctx, testConfig("http://127.0.0.1:1", http.DefaultClient)), "queue q")
	if !errors.Is(err, context.Canceled) || KindOf(err) != "" {
		t.Errorf("error %v of kind %q, want context.Canceled of none", err, KindOf(err))
	}
	if Explain(nil, "queue q") != nil || KindOf(nil) != "" {
		t.Error("nil became an error")
	}
}

func TestCodeExplainsAnEntryOfABatch(t *testing.T) {
	t.Parallel()
	err := Code("RequestThrottled", "too many", "queue q")
	if KindOf(err) != KindThrottled || !strings.Contains(err.Error(), "too many") {
		t.Errorf("kind %q, %v", KindOf(err), err)
	}
	if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "RequestThrottled" {
		t.Errorf("%v does not carry AWS's code", err)
	}
}

// What the SDK itself thinks worth another try is an outage when its tries are
// used up.
func TestOutages(t *testing.T) {
	t.Parallel()
	for code := range retry.DefaultThrottleErrorCodes {
		if got := push.OutageOf(Code(code, "slow down", "queue q")); got != push.OutageThrottled {
			t.Errorf("%s: outage %q, want %q", code, got, push.OutageThrottled)
		}
	}
	for code := range retry.DefaultRetryableErrorCodes {
		if got := push.OutageOf(Code(code, "too slow", "queue q")); got != push.OutageDown {
			t.Errorf("%s: outage %q, want %q", code, got, push.OutageDown)
		}
	}
	want := map[Kind]push.Outage{
		KindThrottled: push.OutageThrottled, KindUnavailable: push.OutageDown, KindUnreachable: push.OutageDown,
		KindExpired: push.OutageAccess, KindCredentials: push.OutageAccess, KindClock: push.OutageAccess,
	}
	for _, c := range classes() {
		if got := c.kind.outage(); got != want[c.kind] {
			t.Errorf("%s is the outage %q, want %q", c.kind, got, want[c.kind])
		}
	}
}

// torn is a server that breaks the connection off, or stays silent, in the
// middle of a good answer.
func torn(t *testing.T, silent bool) aws.Config {
	t.Helper()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"QueueUrl":`))
		w.(http.Flusher).Flush()
		if silent {
			<-done
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	client := server.Client()
	client.Timeout = 100 * time.Millisecond
	return testConfig(server.URL, client)
}

func TestExplainAnswersThatBreakOff(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"broken": false, "silent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, call := range []func(context.Context, aws.Config) error{callSQS, callDynamoDB} {
				err := Explain(call(t.Context(), torn(t, silent)), "queue q")
				if o := push.OutageOf(err); o != push.OutageDown && o != push.OutageTimeout {
					t.Errorf("outage %q: %v", o, err)
				}
			}
		})
	}
}

func TestTableHasOneRowForEachCode(t *testing.T) {
	t.Parallel()
	seen := map[string]Kind{}
	var kinds []Kind
	for _, c := range classes() {
		if slices.Contains(kinds, c.kind) {
			t.Errorf("two rows of kind %s", c.kind)
		}
		kinds = append(kinds, c.kind)
		if c.text == "" {
			t.Errorf("%s says nothing", c.kind)
		}
		for _, code := range c.codes {
			if before, twice := seen[code]; twice {
				t.Errorf("%s stands for %s and %s", code, before, c.kind)
			}
			seen[code] = c.kind
		}
	}
	for status := 300; status < 600; status++ {
		if kind := byStatus(status); !slices.Contains(kinds, kind) {
			t.Errorf("status %d has the kind %s, which has no row", status, kind)
		}
	}
}
