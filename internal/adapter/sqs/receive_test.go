package sqs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/worker"
)

// polled is a queue whose polls bring one message after five seconds, and the
// visibilities that it was told.
func polled(t *testing.T) (q *Queue, handedBack *[]int32) {
	t.Helper()
	handedBack = new([]int32)
	return open(t, &fake{
		receive: func(ctx context.Context, _ *awssqs.ReceiveMessageInput) (*awssqs.ReceiveMessageOutput, error) {
			timer := time.NewTimer(5 * time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
				return &awssqs.ReceiveMessageOutput{Messages: []types.Message{{Body: aws.String("x"), ReceiptHandle: aws.String("r")}}}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		change: func(in *awssqs.ChangeMessageVisibilityBatchInput) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
			*handedBack = append(*handedBack, in.Entries[0].VisibilityTimeout)
			return &awssqs.ChangeMessageVisibilityBatchOutput{
				Successful: []types.ChangeMessageVisibilityBatchResultEntry{{Id: aws.String("0")}},
			}, nil
		},
	}, nil), handedBack
}

func TestReceiveAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	var got *awssqs.ReceiveMessageInput
	q := open(t, &fake{receive: func(_ context.Context, in *awssqs.ReceiveMessageInput) (*awssqs.ReceiveMessageOutput, error) {
		got = in
		return &awssqs.ReceiveMessageOutput{}, nil
	}}, nil)
	if msgs, err := q.Receive(t.Context(), 7, 2500*time.Millisecond); err != nil || len(msgs) != 0 {
		t.Fatalf("received %v, %v; want nothing", msgs, err)
	}
	if got.MaxNumberOfMessages != 7 || got.WaitTimeSeconds != 3 || len(got.MessageSystemAttributeNames) != 4 ||
		len(got.MessageAttributeNames) != 1 {
		t.Errorf("call %+v, want 7 messages, 3 seconds and 4 and 1 attributes", got)
	}
	if got.VisibilityTimeout != 0 {
		t.Errorf("asks for a visibility of %d s instead of the queue's", got.VisibilityTimeout)
	}
}

func TestAbandonedPollHandsBackWhatItBrings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, handedBack := polled(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		msgs, err := q.Receive(ctx, 1, worker.MaxWait)
		if len(msgs) != 0 || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("after %v: %v, %v; want the context's end at once", time.Since(start), msgs, err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(*handedBack) != 1 || (*handedBack)[0] != 0 {
			t.Errorf("handed back with %v, want one visibility of 0", *handedBack)
		}
	})
}

func TestCloseCutsPollsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, handedBack := polled(t)
		received := make(chan error)
		go func() {
			_, err := q.Receive(t.Context(), 1, worker.MaxWait)
			received <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() {
			if err := q.Close(ctx); err != nil {
				t.Error(err)
			}
		}()
		start := time.Now()
		if err := <-received; !errors.Is(err, context.Canceled) || time.Since(start) != 2*time.Second {
			t.Errorf("the poll ended after %v with %v", time.Since(start), err)
		}
		synctest.Wait()
		if len(*handedBack) != 0 {
			t.Errorf("handed back %v, nothing came", *handedBack)
		}
		if _, err := q.Receive(t.Context(), 1, 0); !errors.Is(err, errClosed) {
			t.Errorf("Receive after Close: %v, want errClosed", err)
		}
	})
}
