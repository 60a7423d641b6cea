package sqs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// Send implements worker.Sink. When the connection breaks after SQS took the
// messages, the SDK's second try stores them again: the queue is at least once
// at this end too.
func (q *Queue) Send(ctx context.Context, msgs []worker.Outgoing) error {
	failed, err := worker.CheckOutgoing(msgs)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return q.refuse("send", err)
	}
	entries := make([]types.SendMessageBatchRequestEntry, 0, len(msgs))
	sent := make([]int, 0, len(msgs))
	size := 0
	for i := range msgs {
		if failed[i] != nil {
			continue
		}
		m := &msgs[i]
		e := types.SendMessageBatchRequestEntry{
			Id: entryID(i), MessageBody: aws.String(string(m.Body)), DelaySeconds: seconds(m.Delay),
		}
		if m.Group != "" {
			e.MessageGroupId = &m.Group
		}
		if tp, err := telemetry.ParseTraceParent(wire.TraceParentOf(m.Body)); err == nil && tp.Sampled() {
			e.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{
				string(types.MessageSystemAttributeNameForSendsAWSTraceHeader): {DataType: aws.String("String"), StringValue: aws.String(tp.XRay())},
			}
		}
		entries, sent, size = append(entries, e), append(sent, i), size+len(m.Body)
	}
	if len(entries) == 0 {
		return worker.Partly(failed)
	}
	q.meter.Call(awsmeter.SQS, "SendMessageBatch", awsmeter.Requests, awsmeter.Requests64K(size))
	out, err := q.api.SendMessageBatch(ctx, &awssqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		return q.fail("send", err)
	}
	q.outcome(failed, sent, ids(out.Successful, func(e *types.SendMessageBatchResultEntry) *string { return e.Id }), out.Failed)
	return worker.Partly(failed)
}
