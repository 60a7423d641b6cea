package sqs

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/worker"
)

// handBackPatience bounds the call that hands back what an abandoned poll
// brought.
const handBackPatience = 5 * time.Second

// answer is what a poll brought.
type answer struct {
	msgs []worker.Message
	err  error
}

// Receive implements worker.Queue. It returns as soon as ctx is cancelled, but its poll goes on:
// SQS does not notice that nobody waits any more and would hide the messages of its answer until
// their visibility lapses. Those messages are handed back when they arrive, which counts as a
// receive. No error is fatal: the caller polls again. wait 0 asks for the queue's own waiting time,
// which belfry provision leaves at 0.
func (q *Queue) Receive(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	err := worker.CheckReceive(limit, wait)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = q.enter()
	}
	if err != nil {
		return nil, q.refuse("receive", err)
	}
	answers := make(chan answer) // has no room: an answer is either taken or handed back
	go func() {
		defer q.polls.Done()
		poll, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(q.life, cancel)() //nolint:contextcheck // the queue's life, not the caller's, ends the poll
		msgs, err := q.poll(poll, limit, wait)
		select {
		case answers <- answer{msgs, err}:
		case <-ctx.Done():
			q.handBack(context.WithoutCancel(ctx), msgs)
		}
	}()
	select {
	case a := <-answers:
		return a.msgs, a.err
	case <-ctx.Done():
		return nil, q.refuse("receive", ctx.Err())
	}
}

// handBack makes messages visible again that nobody waits for any more. If it
// fails, they become so when their visibility lapses.
func (q *Queue) handBack(ctx context.Context, msgs []worker.Message) {
	if len(msgs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handBackPatience)
	defer cancel()
	_ = q.Extend(ctx, msgs, 0)
}

func (q *Queue) poll(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	out, err := q.api.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl:            &q.url,
		MaxNumberOfMessages: int32(limit), //nolint:gosec // 1..10
		WaitTimeSeconds:     seconds(wait),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameSentTimestamp,
			types.MessageSystemAttributeNameApproximateReceiveCount,
			types.MessageSystemAttributeNameMessageGroupId,
			types.MessageSystemAttributeNameAWSTraceHeader,
		},
		MessageAttributeNames: []string{telemetry.TraceParentHeader},
	}, patient(wait))
	size := 0
	if err == nil {
		for i := range out.Messages {
			size += len(aws.ToString(out.Messages[i].Body))
		}
	}
	q.meter.Call(awsmeter.SQS, "ReceiveMessage", awsmeter.Requests, awsmeter.Requests64K(size))
	if err != nil {
		return nil, q.fail("receive", err)
	}
	msgs := make([]worker.Message, len(out.Messages))
	for i := range out.Messages {
		msgs[i] = message(&out.Messages[i])
	}
	return msgs, nil
}

// patient lets an attempt last as long as SQS may wait, which it alone knows
// when it was asked for the queue's own time.
func patient(wait time.Duration) func(*awssqs.Options) {
	if wait == 0 {
		wait = worker.MaxWait
	}
	return func(o *awssqs.Options) { o.HTTPClient = awsconf.Within(o.HTTPClient, wait+awsconf.PollMargin) }
}

// message takes what SQS returns as it is. Attributes that are missing or not
// numbers leave zero values: a message must not get stuck for them.
func message(m *types.Message) worker.Message {
	sentAt, _ := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64)
	receives, _ := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	out := worker.Message{
		ID:       aws.ToString(m.MessageId),
		Receipt:  aws.ToString(m.ReceiptHandle),
		Body:     []byte(aws.ToString(m.Body)),
		Group:    m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)],
		Receives: max(1, receives),
	}
	out.TraceParent = traceOf(m)
	if sentAt > 0 {
		out.SentAt = time.UnixMilli(sentAt)
	}
	return out
}

// traceOf returns the traceparent beside a message: the producer's own attribute, or what an
// AWS service has noted.
func traceOf(m *types.Message) string {
	if text := aws.ToString(m.MessageAttributes[telemetry.TraceParentHeader].StringValue); text != "" {
		if _, err := telemetry.ParseTraceParent(text); err == nil {
			return text
		}
	}
	if tp, err := telemetry.ParseXRay(m.Attributes[string(types.MessageSystemAttributeNameAWSTraceHeader)]); err == nil {
		return tp.String()
	}
	return ""
}

// Depth implements worker.Gauge. SQS's numbers are approximate and some seconds
// old; it tells the age of the oldest message to CloudWatch only, so OldestAge
// is 0
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
func (q *Queue) Depth(ctx context.Context) (worker.Depth, error) {
	q.meter.Call(awsmeter.SQS, "GetQueueAttributes", awsmeter.Requests, 1)
	out, err := q.api.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: &q.url,
		AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		},
	})
	if err != nil {
		return worker.Depth{}, q.fail("depth", err)
	}
	var d worker.Depth
	for name, n := range map[types.QueueAttributeName]*int64{
		types.QueueAttributeNameApproximateNumberOfMessages:           &d.Visible,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &d.InFlight,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &d.Delayed,
	} {
		text := out.Attributes[string(name)]
		if *n, err = strconv.ParseInt(text, 10, 64); err != nil {
			return worker.Depth{}, fmt.Errorf("depth: %s: %s is %q, not a number: %w", q.what, name, text, err)
		}
	}
	return d, nil
}
