// Package sqs is the queue on Amazon SQS: standard queues, at least once, with
// the tenant as message group, so that SQS serves tenants fairly
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html).
//
// Every method makes one call of at most ten messages, as SQS has it, and takes
// apart the failures of single messages inside a successful answer. The SDK
// repeats throttled and broken calls (awsconf.MaxAttempts); nothing else is
// repeated here. The package creates no queues and knows nothing of what the
// messages mean.
package sqs

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// api is the part of the SDK's client that is used.
type api interface {
	GetQueueUrl(ctx context.Context, in *awssqs.GetQueueUrlInput, opts ...func(*awssqs.Options)) (*awssqs.GetQueueUrlOutput, error)
	GetQueueAttributes(ctx context.Context, in *awssqs.GetQueueAttributesInput,
		opts ...func(*awssqs.Options)) (*awssqs.GetQueueAttributesOutput, error)
	SendMessageBatch(ctx context.Context, in *awssqs.SendMessageBatchInput,
		opts ...func(*awssqs.Options)) (*awssqs.SendMessageBatchOutput, error)
	ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput, opts ...func(*awssqs.Options)) (*awssqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(ctx context.Context, in *awssqs.DeleteMessageBatchInput,
		opts ...func(*awssqs.Options)) (*awssqs.DeleteMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(ctx context.Context, in *awssqs.ChangeMessageVisibilityBatchInput,
		opts ...func(*awssqs.Options)) (*awssqs.ChangeMessageVisibilityBatchOutput, error)
}

var _ api = (*awssqs.Client)(nil)

// Client opens queues of one account and region; they share its connections.
// Safe for concurrent use.
type Client struct {
	api    api
	region string
	meter  *awsmeter.Meter
}

// New returns a client. Load cfg with awsconf, which sizes the connections for
// the pollers. meter may be nil.
func New(cfg aws.Config, meter *awsmeter.Meter) *Client {
	client := awssqs.NewFromConfig(cfg, func(o *awssqs.Options) {
		// TLS protects what travels; an MD5 over every 60 KB body would cost as
		// much again as decoding it.
		o.DisableMessageChecksumValidation = true
	})
	return &Client{api: client, region: cfg.Region, meter: meter}
}

// Open returns the queue of that name. It asks SQS for the queue's URL, so that
// a missing queue, a wrong region or bad credentials are found at the start;
// the URL is never stored. Close the queue when its receivers have stopped.
func (c *Client) Open(ctx context.Context, name string) (*Queue, error) {
	q := &Queue{api: c.api, meter: c.meter, name: name, what: fmt.Sprintf("queue %s in %s", name, c.region)}
	c.meter.Call(awsmeter.SQS, "GetQueueUrl", awsmeter.Requests, 1)
	out, err := c.api.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, q.fail("open", err)
	}
	q.url = aws.ToString(out.QueueUrl)
	q.life, q.cut = context.WithCancel(context.WithoutCancel(ctx))
	return q, nil
}

// fail says in which queue and doing what an error of SQS came up, and what to
// do about it.
func (q *Queue) fail(op string, err error) error {
	return fmt.Errorf("%s: %w", op, awsconf.Explain(err, q.what))
}

// refuse is for calls that are not made.
func (q *Queue) refuse(op string, err error) error {
	return fmt.Errorf("%s: %s: %w", op, q.what, err)
}
