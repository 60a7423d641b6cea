// Package awsconf is what the AWS drivers share before their first call and
// after a failed one: one loaded configuration, and errors that say what to do.
// It creates no resources and retries nothing itself.
package awsconf

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/middleware"
)

// MaxAttempts is how often the SDK tries one call, the first time included: it
// owns the retries of throttled and broken calls, with jitter, and within one
// call only. Whoever calls again (the worker's poll loop, a queue's redrive)
// multiplies it, so it stays small.
const MaxAttempts = 3

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
	// Attempt bounds each attempt at a call, whatever the service; 0 means what is
	// stated for each ([Attempt]). Making resources takes longer than using them.
	Attempt time.Duration
}

// Load reads the standard AWS environment: credentials, region and, for
// stand-ins and proxies, AWS_ENDPOINT_URL and its forms for single services
// (https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html).
// Credentials are looked up with the first call, not here. A missing region is
// an error that says so.
func Load(ctx context.Context, o Options) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(o.Region), // "" is no region
		awsconfig.WithRetryer(retryer),
		awsconfig.WithHTTPClient(forCredentials()),
		awsconfig.WithAPIOptions([]func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("belfry", o.Version)}),
	)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", Explain(err, "AWS"))
	}
	if cfg.Region == "" {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", Explain(&aws.MissingRegionError{}, "AWS"))
	}
	cfg.HTTPClient = clientOf(cfg.HTTPClient, o)
	return cfg, nil
}

// retryer is made anew for each service, so that one that fails uses up its own
// allowance of retries only.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.Backoff = MaxAttempts, longestPause, retry.BackoffDelayerFunc(pause)
	})
}

// pause is how long to wait after an attempt, from 1: full jitter below a bound
// that doubles. The SDK's own has none below a bound of 1 s.
func pause(attempt int, _ error) (time.Duration, error) {
	const first = longestPause / 4
	return rand.N(min(first<<max(attempt, 0), longestPause)), nil //nolint:gosec // jitter, not secrets
}

// forCredentials returns the client of the providers of credentials, which the
// SDK adapts to each. The SDK adds the CA bundle of the environment to it.
func forCredentials() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(Attempt)
}

// clientOf returns the client of all services, which trusts whom that of the
// credentials trusts.
func clientOf(c aws.HTTPClient, o Options) aws.HTTPClient {
	conns := o.Pollers + o.Calls
	if o.Calls == 0 {
		conns += defaultCalls
	}
	trusted, ok := c.(*awshttp.BuildableClient)
	if !ok {
		trusted = forCredentials()
	}
	return newClient(connections(trusted.GetTransport(), conns), o.Attempt)
}
