package standins

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/google/uuid"
)

// What the stand-ins are called with; they check none of it.
const (
	region    = "us-east-1"
	accessKey = "standin"
	secretKey = "standin"
)

// Target is what a driver's test runs against.
type Target struct {
	Config  aws.Config // with the stand-in's endpoint, or of the account
	Prefix  string     // of every name that a test makes, unique to this call: "belfry-test-1f2e3d4c-"
	Account bool       // an AWS account, not a stand-in
}

// Messaging returns SQS, SNS and STS.
func (s *Servers) Messaging(tb testing.TB) Target {
	tb.Helper()
	return s.target(tb, &s.fauxqs, func() (string, io.Closer, error) { return startNode(tb.Context(), "fauxqs", 0) })
}

// Tables returns DynamoDB.
func (s *Servers) Tables(tb testing.TB) Target {
	tb.Helper()
	return s.target(tb, &s.dynalite, func() (string, io.Closer, error) { return startNode(tb.Context(), "dynalite", 0) })
}

// Objects returns S3; its stand-in needs no Node.
func (s *Servers) Objects(tb testing.TB) Target {
	tb.Helper()
	return s.target(tb, &s.objects, func() (string, io.Closer, error) { return startS3(tb.Context(), 0) })
}

func (s *Servers) target(tb testing.TB, server *shared, start func() (string, io.Closer, error)) Target {
	tb.Helper()
	t := Target{Prefix: fmt.Sprintf("belfry-test-%.8s-", uuid.NewString())}
	if againstAccount() {
		cfg, err := awsconfig.LoadDefaultConfig(tb.Context(), awsconfig.WithHTTPClient(s.httpClient()))
		if err != nil {
			tb.Fatalf("%s: %v", envAccount, err)
		}
		t.Config, t.Account = cfg, true
		return t
	}
	url, err := server.open(start)
	leaveOut(tb, err)
	t.Config = aws.Config{
		Region:           region,
		BaseEndpoint:     aws.String(url),
		HTTPClient:       s.httpClient(),
		RetryMaxAttempts: 3,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	}
	return t
}

// httpClient returns a client whose connections end with the set, so that none
// is left for goleak.
func (s *Servers) httpClient() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 10 * time.Second}
	s.idle.Store(transport, struct{}{})
	return &http.Client{Transport: transport}
}

func (s *Servers) closeIdle() {
	s.idle.Range(func(key, _ any) bool {
		if transport, ok := key.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
		return true
	})
	s.idle.Clear()
}
