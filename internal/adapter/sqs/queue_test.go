package sqs

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

func TestOpenOfAMissingQueueSaysWhatToDo(t *testing.T) {
	t.Parallel()
	target := servers.Messaging(t)
	_, err := New(target.Config, nil).Open(t.Context(), target.Prefix+"nowhere")
	if awsconf.KindOf(err) != awsconf.KindMissing {
		t.Fatalf("error %v of kind %q, want %q", err, awsconf.KindOf(err), awsconf.KindMissing)
	}
	for _, want := range []string{target.Prefix + "nowhere", target.Config.Region, "belfry provision"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

// A failure inside a successful answer is the failure of one message.
func TestSendTellsEntriesApart(t *testing.T) {
	t.Parallel()
	var got *awssqs.SendMessageBatchInput
	q := open(t, &fake{send: func(in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
		got = in
		return &awssqs.SendMessageBatchOutput{
			Successful: []types.SendMessageBatchResultEntry{{Id: aws.String("0")}},
			Failed: []types.BatchResultErrorEntry{
				{Id: aws.String("2"), Code: aws.String("InternalError"), Message: aws.String("a disk")},
				{Id: aws.String("77"), Code: aws.String("Unasked")},
			},
		}, nil
	}}, nil)
	err := q.Send(t.Context(), []worker.Outgoing{
		{Body: []byte("taken"), Group: "acme", Delay: 90 * time.Second},
		{Body: []byte("\x00")},
		{Body: []byte("refused")},
		{Body: []byte("not answered for")},
	})
	failed, ok := errors.AsType[*worker.BatchError](err)
	if !ok {
		t.Fatalf("error %v, want a *worker.BatchError", err)
	}
	for at, want := range map[int]string{1: "XML characters", 2: "a disk", 3: "no answer"} {
		if e := failed.Failed[at]; e == nil || !strings.Contains(e.Error(), want) {
			t.Errorf("message %d failed with %v, want %q", at, e, want)
		}
	}
	if len(failed.Failed) != 3 {
		t.Errorf("failed %v, want 1, 2 and 3", failed.Failed)
	}
	if kind := awsconf.KindOf(failed.Failed[2]); kind != awsconf.KindUnavailable {
		t.Errorf("message 2 failed of kind %q, want %q", kind, awsconf.KindUnavailable)
	}
	if push.OutageOf(failed.Failed[2]) != push.OutageDown || push.OutageOf(failed.Failed[3]) != push.OutageDown ||
		push.OutageOf(failed.Failed[1]) != "" {
		t.Errorf("outages %q, %q and %q, want none and twice %q",
			push.OutageOf(failed.Failed[1]), push.OutageOf(failed.Failed[2]), push.OutageOf(failed.Failed[3]), push.OutageDown)
	}
	want := &awssqs.SendMessageBatchInput{QueueUrl: aws.String("http://queue"), Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("0"), MessageBody: aws.String("taken"), MessageGroupId: aws.String("acme"), DelaySeconds: 90},
		{Id: aws.String("2"), MessageBody: aws.String("refused")},
		{Id: aws.String("3"), MessageBody: aws.String("not answered for")},
	}}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(awssqs.SendMessageBatchInput{}, types.SendMessageBatchRequestEntry{})); d != "" {
		t.Errorf("call (-want +got):\n%s", d)
	}
}

func TestReceiptsThatAreNotValidAreNotFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		notFound      bool
	}{
		{"ReceiptHandleIsInvalid", "The input receipt handle is invalid.", true},
		{"MessageNotInflight", "", true},
		{"AWS.SimpleQueueService.MessageNotInflight", "", true},
		{
			"InvalidParameterValue",
			"Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
			true,
		},
		{
			"InvalidParameterValue",
			"Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 " +
				"seconds].",
			false,
		},
		{"InternalError", "", false},
	} {
		t.Run(c.code+" "+c.message, func(t *testing.T) {
			t.Parallel()
			entry := types.BatchResultErrorEntry{Id: aws.String("1"), Code: &c.code, Message: &c.message}
			q := open(t, &fake{
				change: func(in *awssqs.ChangeMessageVisibilityBatchInput) (*awssqs.ChangeMessageVisibilityBatchOutput, error) {
					if len(in.Entries) != 2 || in.Entries[0].VisibilityTimeout != 2 {
						t.Errorf("entries %v, want two of 2 seconds", in.Entries)
					}
					return &awssqs.ChangeMessageVisibilityBatchOutput{
						Successful: []types.ChangeMessageVisibilityBatchResultEntry{{Id: aws.String("2")}}, Failed: []types.BatchResultErrorEntry{entry},
					}, nil
				},
				remove: func(*awssqs.DeleteMessageBatchInput) (*awssqs.DeleteMessageBatchOutput, error) {
					return &awssqs.DeleteMessageBatchOutput{
						Successful: []types.DeleteMessageBatchResultEntry{{Id: aws.String("2")}}, Failed: []types.BatchResultErrorEntry{entry},
					}, nil
				},
			}, nil)
			batch := []worker.Message{{}, {Receipt: "bad"}, {Receipt: "good"}} // the first one has no receipt at all
			for op, err := range map[string]error{
				"Extend": q.Extend(t.Context(), batch, 1500*time.Millisecond),
				"Delete": q.Delete(t.Context(), batch),
			} {
				failed, ok := errors.AsType[*worker.BatchError](err)
				if !ok || len(failed.Failed) != 2 || !errors.Is(failed.Failed[0], push.ErrNotFound) {
					t.Fatalf("%s: %v, want a *worker.BatchError of messages 0 and 1", op, err)
				}
				if got := errors.Is(failed.Failed[1], push.ErrNotFound); got != c.notFound {
					t.Errorf("%s: %v is push.ErrNotFound: %v, want %v", op, failed.Failed[1], got, c.notFound)
				}
			}
		})
	}
}

func TestCallsOfNothingAreNotMade(t *testing.T) {
	t.Parallel()
	q := open(t, &fake{}, nil) // a call would panic
	if err := q.Delete(t.Context(), []worker.Message{{}}); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("Delete without a receipt: %v", err)
	}
	if err := q.Extend(t.Context(), []worker.Message{{}}, 0); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("Extend without a receipt: %v", err)
	}
	if err := q.Send(t.Context(), []worker.Outgoing{{}}); err == nil {
		t.Error("Send of an empty body: no error")
	}
}

func TestMessagesTellWhatSQSKnows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   types.Message
		want worker.Message
	}{
		{
			"everything",
			types.Message{
				MessageId: aws.String("id"), ReceiptHandle: aws.String("receipt"), Body: aws.String("body"),
				Attributes: map[string]string{"SentTimestamp": "1700000000123", "ApproximateReceiveCount": "3", "MessageGroupId": "acme"},
			},
			worker.Message{ID: "id", Receipt: "receipt", Body: []byte("body"), Receives: 3, Group: "acme", SentAt: time.UnixMilli(1700000000123)},
		},
		{
			"a trace of an AWS service",
			types.Message{Body: aws.String("body"), Attributes: map[string]string{
				"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
			}},
			worker.Message{Body: []byte("body"), Receives: 1, TraceParent: "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"},
		},
		{
			"a trace of the producer's",
			types.Message{
				Body:       aws.String("body"),
				Attributes: map[string]string{"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"},
				MessageAttributes: map[string]types.MessageAttributeValue{
					"traceparent": {StringValue: aws.String("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
				},
			},
			worker.Message{Body: []byte("body"), Receives: 1, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		},
		{
			"traces that are none",
			types.Message{
				Body: aws.String("body"), Attributes: map[string]string{"AWSTraceHeader": "Root=1"},
				MessageAttributes: map[string]types.MessageAttributeValue{"traceparent": {StringValue: aws.String("00-00")}},
			},
			worker.Message{Body: []byte("body"), Receives: 1},
		},
		{
			"no attributes",
			types.Message{MessageId: aws.String("id"), ReceiptHandle: aws.String("receipt"), Body: aws.String("body")},
			worker.Message{ID: "id", Receipt: "receipt", Body: []byte("body"), Receives: 1},
		},
		{
			"attributes that are no numbers",
			types.Message{Attributes: map[string]string{"SentTimestamp": "now", "ApproximateReceiveCount": "many"}},
			worker.Message{Body: []byte{}, Receives: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(c.want, message(&c.in)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What is sampled goes on in X-Ray, too; what is not has no attribute.
func TestSendNotesTheTrace(t *testing.T) {
	t.Parallel()
	var got []map[string]types.MessageSystemAttributeValue
	q := open(t, &fake{send: func(in *awssqs.SendMessageBatchInput) (*awssqs.SendMessageBatchOutput, error) {
		for _, e := range in.Entries {
			got = append(got, e.MessageSystemAttributes)
		}
		return &awssqs.SendMessageBatchOutput{Successful: []types.SendMessageBatchResultEntry{{Id: aws.String("0")}, {Id: aws.String("1")}}}, nil
	}}, nil)
	var msgs []worker.Outgoing
	for _, flags := range []string{"01", "00"} {
		body, err := wire.EncodeTask(wire.Task{
			Op: wire.OpPlan, Notification: push.NewID(push.PrefixNotification),
			TraceParent: "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-" + flags,
		})
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, worker.Outgoing{Body: body})
	}
	if err := q.Send(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	h := aws.ToString(got[0]["AWSTraceHeader"].StringValue)
	if h != "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1" {
		t.Errorf("header %q", h)
	}
	if got[1] != nil {
		t.Errorf("attributes %v", got[1])
	}
}

// Every call counts, and a payload counts by its 64 KiB.
func TestCallsAreMetered(t *testing.T) {
	t.Parallel()
	target := servers.Messaging(t)
	meter := awsmeter.New(prometheus.NewRegistry())
	name := target.Prefix + "metered"
	createQueue(t, awssqs.NewFromConfig(target.Config), name, nil)
	q, err := New(target.Config, meter).Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(t.Context())
	body := bytes.Repeat([]byte("x"), 60<<10)
	if err := q.Send(t.Context(), []worker.Outgoing{{Body: body}, {Body: body}, {Body: body}}); err != nil { // 180 KiB: 3
		t.Fatal(err)
	}
	var msgs []worker.Message
	for polls := 0; len(msgs) < 3 && polls < 3; polls++ {
		got, err := q.Receive(t.Context(), 3-len(msgs), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, got...)
	}
	if err := errors.Join(q.Extend(t.Context(), msgs, time.Minute), q.Delete(t.Context(), msgs)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Depth(t.Context()); err != nil {
		t.Fatal(err)
	}
	if target.Account {
		t.Skip("how many receives SQS needs is not certain")
	}
	want := awsmeter.Snapshot{
		Calls: map[awsmeter.Operation]int64{},
		Units: map[awsmeter.Quantity]float64{{Service: awsmeter.SQS, Unit: awsmeter.Requests}: 1 + 3 + 3 + 1 + 1 + 1},
	}
	for _, op := range []string{
		"GetQueueUrl", "SendMessageBatch", "ReceiveMessage", "ChangeMessageVisibilityBatch", "DeleteMessageBatch", "GetQueueAttributes",
	} {
		want.Calls[awsmeter.Operation{Service: awsmeter.SQS, Name: op}] = 1
	}
	if d := cmp.Diff(want, meter.Snapshot()); d != "" {
		t.Errorf("metered (-want +got):\n%s", d)
	}
}
