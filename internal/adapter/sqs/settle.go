package sqs

import (
	"context"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/worker"
)

// Delete implements worker.Queue. SQS takes the latest receipt of a message,
// lapsed or not, as long as the message was not received again.
func (q *Queue) Delete(ctx context.Context, msgs []worker.Message) error {
	err := worker.CheckBatch(len(msgs))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return q.refuse("delete", err)
	}
	sent, failed := received(msgs)
	if len(sent) == 0 {
		return worker.Partly(failed)
	}
	entries := make([]types.DeleteMessageBatchRequestEntry, len(sent))
	for at, i := range sent {
		entries[at] = types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &msgs[i].Receipt}
	}
	q.meter.Call(awsmeter.SQS, "DeleteMessageBatch", awsmeter.Requests, 1)
	out, err := q.api.DeleteMessageBatch(ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		return q.fail("delete", err)
	}
	q.outcome(failed, sent, ids(out.Successful, func(e *types.DeleteMessageBatchResultEntry) *string { return e.Id }), out.Failed)
	return worker.Partly(failed)
}

// Extend implements worker.Queue. Fractions of a second are rounded up.
func (q *Queue) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	err := worker.CheckBatch(len(msgs))
	if err == nil {
		err = worker.CheckVisibility(visibility)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return q.refuse("extend", err)
	}
	sent, failed := received(msgs)
	if len(sent) == 0 {
		return worker.Partly(failed)
	}
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(sent))
	for at, i := range sent {
		entries[at] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryID(i), ReceiptHandle: &msgs[i].Receipt, VisibilityTimeout: seconds(visibility),
		}
	}
	q.meter.Call(awsmeter.SQS, "ChangeMessageVisibilityBatch", awsmeter.Requests, 1)
	out, err := q.api.ChangeMessageVisibilityBatch(ctx, &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		return q.fail("extend", err)
	}
	q.outcome(failed, sent, ids(out.Successful, func(e *types.ChangeMessageVisibilityBatchResultEntry) *string { return e.Id }), out.Failed)
	return worker.Partly(failed)
}
