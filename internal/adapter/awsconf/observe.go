package awsconf

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// Observe returns cfg with what the SDK does behind a call made visible: its log
// lines go to log, under the name "aws", and its retries to the meter. Its lines
// about single retries are at debug, which a running process may be switched to. meter
// may be nil.
func Observe(cfg aws.Config, log *zap.Logger, meter *awsmeter.Meter) aws.Config {
	log = log.Named("aws")
	cfg.Logger = lines{log}
	cfg.ClientLogMode |= aws.LogRetries
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Finalize.Add(retries{meter}, middleware.Before) // around the SDK's loop, wherever that is
	})
	return cfg
}

// lines is the SDK's logger.
type lines struct{ log *zap.Logger }

var _ logging.Logger = lines{}

// Logf implements logging.Logger. The SDK has two levels and may invent more.
func (l lines) Logf(c logging.Classification, format string, v ...any) {
	level := zapcore.InfoLevel
	switch c {
	case logging.Warn:
		level = zapcore.WarnLevel
	case logging.Debug:
		level = zapcore.DebugLevel
	}
	if entry := l.log.Check(level, "the AWS SDK says"); entry != nil {
		entry.Write(zap.String("line", strings.TrimSpace(fmt.Sprintf(format, v...))))
	}
}

// retries counts the attempts of a call that were followed by another.
type retries struct{ meter *awsmeter.Meter }

var _ middleware.FinalizeMiddleware = retries{}

// ID implements middleware.FinalizeMiddleware.
func (retries) ID() string { return "BelfryRetries" }

// HandleFinalize implements middleware.FinalizeMiddleware.
func (r retries) HandleFinalize(ctx context.Context, in middleware.FinalizeInput,
	next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	begun := time.Now()
	out, metadata, err := next.HandleFinalize(ctx, in)
	service, op := awsmeter.Service(strings.ToLower(awsmiddleware.GetServiceID(ctx))), awsmiddleware.GetOperationName(ctx)
	r.meter.Took(service, op, time.Since(begun))
	attempts, _ := retry.GetAttemptResults(metadata)
	for _, a := range attempts.Results {
		if !a.Retried {
			continue
		}
		kind := KindOf(a.Err)
		if kind == "" { // the end of a context that was not the caller's
			kind = KindUnreachable
		}
		r.meter.Retry(service, op, string(kind))
	}
	return out, metadata, err
}
