// Package awsconf is what the AWS drivers share before their first call and
// after a failed one: one loaded configuration, and errors that say what to do.
// It creates no resources and retries nothing itself.
package awsconf

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"
)

// MaxAttempts is how often the SDK tries one call, the first time included: it
// owns the retries of throttled and broken calls, with jitter, and within one
// call only. Whoever calls again (the worker's poll loop, a queue's redrive)
// multiplies it, so it stays small.
const MaxAttempts = 3

// How long a connection may be silent. The SDK's read timeout runs on from the
// end of the last answer, through the time in which the connection lies idle in
// the pool: with less than all three together, a poll on a connection that had
// been idle for a while would break in the middle.
const (
	longestIdle = time.Minute
	longestPoll = 20 * time.Second // SQS's longest long poll
	readMargin  = 10 * time.Second
	readTimeout = longestIdle + longestPoll + readMargin
)

// defaultCalls is how many calls run at once beside the polls when the caller
// does not say: four settlers and four queues, the ledger's checkpoints of 32
// chunks, and some air.
const defaultCalls = 64

// Options say what a process will do with AWS.
type Options struct {
	Region  string // "" leaves it to the environment
	Pollers int    // long polls open at once in this process, from 0
	Calls   int    // other calls at once to one service; 0 means 64
	Version string // of Belfry, for the user agent
}

// Load reads the standard AWS environment: credentials, region and, for
// stand-ins and proxies, AWS_ENDPOINT_URL and its forms for single services
// (https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html).
// Credentials are looked up with the first call, not here. A missing region is
// an error that says so.
func Load(ctx context.Context, o Options) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(o.Region), // "" is no region
		awsconfig.WithRetryMaxAttempts(MaxAttempts),
		awsconfig.WithRetryMode(aws.RetryModeStandard),
		awsconfig.WithHTTPClient(httpClient(o)),
		awsconfig.WithAPIOptions([]func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("belfry", o.Version)}),
	)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", Explain(err, "AWS"))
	}
	if cfg.Region == "" {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", Explain(&aws.MissingRegionError{}, "AWS"))
	}
	return cfg, nil
}

// httpClient keeps a connection for everything that may run at once. AWS speaks
// HTTP/1.1 here, so that each open poll holds a connection; the SDK's default of
// 10 idle ones a host would close and dial anew the others with every call.
func httpClient(o Options) *awshttp.BuildableClient {
	conns := o.Pollers + o.Calls
	if o.Calls == 0 {
		conns += defaultCalls
	}
	return awshttp.NewBuildableClient().
		WithReadTimeout(readTimeout).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxConnsPerHost = conns
			t.MaxIdleConnsPerHost = conns
			t.MaxIdleConns = 0 // no limit beyond that of each host
			t.IdleConnTimeout = longestIdle
		})
}
