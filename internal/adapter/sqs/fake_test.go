package sqs

import (
	"context"
	"testing"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
)

// fake answers calls with functions; what has none must not be called.
type fake struct {
	api
	send    func(*awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error)
	receive func(context.Context, *awssqs.ReceiveMessageInput) (*awssqs.ReceiveMessageOutput, error)
	remove  func(*awssqs.DeleteMessageBatchInput) (*awssqs.DeleteMessageBatchOutput, error)
	change  func(*awssqs.ChangeMessageVisibilityBatchInput) (*awssqs.ChangeMessageVisibilityBatchOutput, error)
}

//nolint:revive // the SDK's name
func (f *fake) GetQueueUrl(context.Context, *awssqs.GetQueueUrlInput, ...func(*awssqs.Options)) (*awssqs.GetQueueUrlOutput, error) {
	url := "http://queue"
	return &awssqs.GetQueueUrlOutput{QueueUrl: &url}, nil
}

func (f *fake) SendMessageBatch(_ context.Context, in *awssqs.SendMessageBatchInput,
	_ ...func(*awssqs.Options),
) (*awssqs.SendMessageBatchOutput, error) {
	return f.send(in)
}

func (f *fake) ReceiveMessage(ctx context.Context, in *awssqs.ReceiveMessageInput,
	_ ...func(*awssqs.Options),
) (*awssqs.ReceiveMessageOutput, error) {
	return f.receive(ctx, in)
}

func (f *fake) DeleteMessageBatch(_ context.Context, in *awssqs.DeleteMessageBatchInput,
	_ ...func(*awssqs.Options),
) (*awssqs.DeleteMessageBatchOutput, error) {
	return f.remove(in)
}

func (f *fake) ChangeMessageVisibilityBatch(_ context.Context, in *awssqs.ChangeMessageVisibilityBatchInput,
	_ ...func(*awssqs.Options),
) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
	return f.change(in)
}

func open(t *testing.T, f *fake, meter *awsmeter.Meter) *Queue {
	t.Helper()
	q, err := (&Client{api: f, region: "eu-central-1", meter: meter}).Open(t.Context(), "belfry-events")
	if err != nil {
		t.Fatal(err)
	}
	return q
}
