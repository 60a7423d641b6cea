// Package sns publishes Belfry's outgoing events to an Amazon SNS topic, as
// CloudEvents in structured mode: the whole event is the message, and there are
// no message attributes, because a raw subscription drops a message that has
// more than ten. Subscribers filter by the body
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering-scope.html).
// The package creates no topics and repeats nothing beyond the SDK's own tries.
package sns

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Limits of one PublishBatch call
// (https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html). A topic may
// be set to take more bytes; events are far smaller.
const (
	maxBatch = 10
	maxBytes = 256 << 10 // of one message, and of all of a call together
)

// api is the part of the SDK's client that is used.
type api interface {
	PublishBatch(ctx context.Context, in *awssns.PublishBatchInput, opts ...func(*awssns.Options)) (*awssns.PublishBatchOutput, error)
	GetTopicAttributes(ctx context.Context, in *awssns.GetTopicAttributesInput,
		opts ...func(*awssns.Options)) (*awssns.GetTopicAttributesOutput, error)
}

var _ api = (*awssns.Client)(nil)

// Publisher publishes to one topic. It implements outcome.Publisher and is safe
// for concurrent use.
type Publisher struct {
	api   api
	topic string
	what  string // the topic, in errors
	meter *awsmeter.Meter
}

// New returns a publisher for the topic with that ARN, which
// awsconf.Account.TopicARN makes of its name. meter may be nil.
func New(cfg aws.Config, topicARN string, meter *awsmeter.Meter) *Publisher {
	return newPublisher(awssns.NewFromConfig(cfg), topicARN, meter)
}

func newPublisher(client api, topicARN string, meter *awsmeter.Meter) *Publisher {
	return &Publisher{api: client, topic: topicARN, what: "topic " + topicARN, meter: meter}
}

// Check finds out whether the topic is there and may be seen.
func (p *Publisher) Check(ctx context.Context) error {
	p.meter.Call(awsmeter.SNS, "GetTopicAttributes", awsmeter.Requests, 1)
	_, err := p.api.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &p.topic})
	return awsconf.Explain(err, p.what)
}

// Publish publishes the events in as few calls as their sizes allow. A *worker.BatchError names the
// events that were not published, by position; all others were. After a call that fails as a whole
// Publish makes no more calls, because they would fail for the same reason.
func (p *Publisher) Publish(ctx context.Context, events []wire.Event) error {
	failed := map[int]error{}
	calls := plan(events, failed)
	for c, call := range calls {
		err := p.publish(ctx, call, failed)
		if err == nil {
			continue
		}
		for _, left := range calls[c:] {
			for _, m := range left.messages {
				failed[m.at] = err
			}
		}
		break
	}
	if len(failed) == 0 {
		return nil
	}
	return &worker.BatchError{Failed: failed}
}

// message is an encoded event with its position.
type message struct {
	at   int
	body string
}

// call is what one PublishBatch takes.
type call struct {
	messages []message
	bytes    int
}

// plan cuts events into calls; what cannot be published is in failed.
func plan(events []wire.Event, failed map[int]error) []call {
	var calls []call
	for i := range events {
		body, err := wire.EncodeEvent(&events[i])
		switch {
		case err != nil:
			failed[i] = fmt.Errorf("encode event %s: %w", events[i].ID, err)
			continue
		case len(body) > maxBytes:
			failed[i] = fmt.Errorf("event %s: must be at most %d bytes (got %d)", events[i].ID, maxBytes, len(body))
			continue
		}
		last := len(calls) - 1
		if last < 0 || len(calls[last].messages) == maxBatch || calls[last].bytes+len(body) > maxBytes {
			calls = append(calls, call{})
			last++
		}
		calls[last].messages = append(calls[last].messages, message{at: i, body: string(body)})
		calls[last].bytes += len(body)
	}
	return calls
}

// publish makes one call. The failures of single events, and what SNS did not
// answer for, are in failed.
func (p *Publisher) publish(ctx context.Context, c call, failed map[int]error) error {
	entries := make([]types.PublishBatchRequestEntry, len(c.messages))
	open := make(map[string]int, len(c.messages))
	for i, m := range c.messages {
		id := strconv.Itoa(m.at)
		entries[i] = types.PublishBatchRequestEntry{Id: aws.String(id), Message: aws.String(m.body)}
		open[id] = m.at
	}
	p.meter.Call(awsmeter.SNS, "PublishBatch", awsmeter.Requests, awsmeter.Requests64K(c.bytes))
	out, err := p.api.PublishBatch(ctx, &awssns.PublishBatchInput{TopicArn: &p.topic, PublishBatchRequestEntries: entries})
	if err != nil {
		return fmt.Errorf("publish: %w", awsconf.Explain(err, p.what))
	}
	for i := range out.Successful {
		delete(open, aws.ToString(out.Successful[i].Id))
	}
	for i := range out.Failed {
		f := &out.Failed[i]
		if at, ok := open[aws.ToString(f.Id)]; ok {
			failed[at] = awsconf.Code(aws.ToString(f.Code), aws.ToString(f.Message), p.what)
			delete(open, aws.ToString(f.Id))
		}
	}
	for _, at := range open {
		failed[at] = push.WithOutage(push.OutageDown, fmt.Errorf("%s: no answer for this event", p.what))
	}
	return nil
}
