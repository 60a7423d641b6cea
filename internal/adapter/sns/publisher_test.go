package sns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

var _ outcome.Publisher = (*Publisher)(nil)

func event(id string, padding int) wire.Event {
	data, err := json.Marshal(map[string]string{"padding": strings.Repeat("x", padding)})
	if err != nil {
		panic(err)
	}
	return wire.Event{Source: "/belfry", ID: id, Type: wire.EventOutcome, Data: data}
}

// fake answers PublishBatch and keeps the calls.
type fake struct {
	api
	answer func(call int, in *awssns.PublishBatchInput) (*awssns.PublishBatchOutput, error)
	calls  []*awssns.PublishBatchInput
}

func (f *fake) PublishBatch(_ context.Context, in *awssns.PublishBatchInput,
	_ ...func(*awssns.Options),
) (*awssns.PublishBatchOutput, error) {
	f.calls = append(f.calls, in)
	if f.answer == nil {
		return accept(in), nil
	}
	return f.answer(len(f.calls), in)
}

func accept(in *awssns.PublishBatchInput) *awssns.PublishBatchOutput {
	out := &awssns.PublishBatchOutput{}
	for _, e := range in.PublishBatchRequestEntries {
		out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id})
	}
	return out
}

// Whatever the sizes: every event that fits is published once, in order, within
// the limits of a call.
func TestPublishKeepsTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(100<<10, 300<<10)), 0, 40).Draw(rt, "sizes")
		events := make([]wire.Event, len(sizes))
		for i, size := range sizes {
			events[i] = event(fmt.Sprint("evt_", i), size)
		}
		f := &fake{}
		err := newPublisher(f, "arn", nil).Publish(t.Context(), events)
		failed, _ := errors.AsType[*worker.BatchError](err)
		var published []string
		for _, c := range f.calls {
			total := 0
			for _, e := range c.PublishBatchRequestEntries {
				total += len(*e.Message)
				published = append(published, *e.Message)
			}
			if n := len(c.PublishBatchRequestEntries); n == 0 || n > 10 || total > 256<<10 {
				rt.Fatalf("a call of %d events and %d bytes", n, total)
			}
		}
		var want []string
		for i := range events {
			body, _ := wire.EncodeEvent(&events[i])
			tooLong := len(body) > 256<<10
			if got := failed != nil && failed.Failed[i] != nil; got != tooLong {
				rt.Fatalf("event %d of %d bytes failed: %v", i, len(body), got)
			}
			if !tooLong {
				want = append(want, string(body))
			}
		}
		if !slices.Equal(published, want) {
			rt.Fatalf("published %d events, want %d, in order", len(published), len(want))
		}
	})
}

func TestPublishTellsEntriesApart(t *testing.T) {
	t.Parallel()
	f := &fake{answer: func(int, *awssns.PublishBatchInput) (*awssns.PublishBatchOutput, error) {
		return &awssns.PublishBatchOutput{
			Successful: []types.PublishBatchResultEntry{{Id: aws.String("0")}},
			Failed:     []types.BatchResultErrorEntry{{Id: aws.String("2"), Code: aws.String("InternalError"), Message: aws.String("a disk")}},
		}, nil
	}}
	err := newPublisher(f, "arn", nil).Publish(t.Context(), []wire.Event{event("a", 1), event("b", 300<<10), event("c", 1), event("d", 1)})
	failed, ok := errors.AsType[*worker.BatchError](err)
	if !ok || len(failed.Failed) != 3 {
		t.Fatalf("error %v, want a *worker.BatchError of 1, 2 and 3", err)
	}
	for at, want := range map[int]string{1: "at most 262144 bytes", 2: "a disk", 3: "no answer"} {
		if e := failed.Failed[at]; e == nil || !strings.Contains(e.Error(), want) {
			t.Errorf("event %d failed with %v, want %q", at, e, want)
		}
	}
	for at, want := range map[int]push.Outage{1: "", 2: push.OutageDown, 3: push.OutageDown} {
		if got := push.OutageOf(failed.Failed[at]); got != want {
			t.Errorf("event %d failed by the outage %q, want %q", at, got, want)
		}
	}
}

func TestPublishStopsAtACallThatFails(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	f := &fake{answer: func(n int, in *awssns.PublishBatchInput) (*awssns.PublishBatchOutput, error) {
		if n == 2 {
			return nil, down
		}
		return accept(in), nil
	}}
	events := make([]wire.Event, 35)
	for i := range events {
		events[i] = event(strconv.Itoa(i), 1)
	}
	err := newPublisher(f, "arn:aws:sns:us-east-1:123456789012:belfry-outcomes", nil).Publish(t.Context(), events)
	failed, ok := errors.AsType[*worker.BatchError](err)
	if !ok || len(failed.Failed) != 25 || failed.Failed[10] == nil || !errors.Is(err, down) {
		t.Fatalf("error %v, want a *worker.BatchError of 10 to 34", err)
	}
	if len(f.calls) != 2 {
		t.Errorf("made %d calls, want 2", len(f.calls))
	}
	if !strings.Contains(err.Error(), "belfry-outcomes") {
		t.Errorf("error %q does not name the topic", err)
	}
}

// From the topic to a queue with raw delivery, as subscribers see it.
func TestPublishReachesASubscriber(t *testing.T) {
	t.Parallel()
	target := servers.Messaging(t)
	topic, queue := subscribed(t, target)
	meter := awsmeter.New(prometheus.NewRegistry())
	p := New(target.Config, topic, meter)
	if err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := make([]wire.Event, 12)
	want := map[string]bool{}
	for i := range events {
		events[i] = event(fmt.Sprint("evt_", i), 8<<10) // 10 are more than 64 KiB
		body, err := wire.EncodeEvent(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		want[string(body)] = true
	}
	if err := p.Publish(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	client := awssqs.NewFromConfig(target.Config)
	for polls := 0; len(got) < len(want) && polls < 20; polls++ {
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := range out.Messages {
			got[*out.Messages[i].Body] = true
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("received (-want +got):\n%s", d)
	}
	s := meter.Snapshot()
	if calls, units := s.Total(awsmeter.SNS), s.Units[awsmeter.Quantity{Service: awsmeter.SNS, Unit: awsmeter.Requests}]; calls != 3 ||
		units != 1+2+1 {
		t.Errorf("metered %d calls and %v requests, want 3 and 4", calls, units)
	}
}

func TestAMissingTopicSaysWhatToDo(t *testing.T) {
	t.Parallel()
	target := servers.Messaging(t)
	who, err := awsconf.WhoAmI(t.Context(), target.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(target.Config, who.TopicARN(target.Prefix+"nowhere"), nil)
	for op, err := range map[string]error{"Check": p.Check(t.Context()), "Publish": p.Publish(t.Context(), []wire.Event{event("a", 1)})} {
		if awsconf.KindOf(err) != awsconf.KindMissing || !strings.Contains(err.Error(), target.Prefix+"nowhere") {
			t.Errorf("%s: %v of kind %q, want %q", op, err, awsconf.KindOf(err), awsconf.KindMissing)
		}
	}
}

// subscribed makes a topic and a queue that gets its messages raw.
func subscribed(t *testing.T, target standins.Target) (topicARN, queueURL string) {
	t.Helper()
	topics, queues := awssns.NewFromConfig(target.Config), awssqs.NewFromConfig(target.Config)
	topic, err := topics.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String(target.Prefix + "outcomes")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := topics.DeleteTopic(context.WithoutCancel(t.Context()), &awssns.DeleteTopicInput{TopicArn: topic.TopicArn}); err != nil {
			t.Error(err)
		}
	})
	who, err := awsconf.WhoAmI(t.Context(), target.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := target.Prefix + "listener"
	arn := who.QueueARN(name)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},`+
		`"Action":"sqs:SendMessage","Resource":%q,"Condition":{"ArnEquals":{"aws:SourceArn":%q}}}]}`, arn, *topic.TopicArn)
	queue, err := queues.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{"Policy": policy}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if _, err := queues.DeleteQueue(ctx, &awssqs.DeleteQueueInput{QueueUrl: queue.QueueUrl}); err != nil {
			t.Error(err)
		}
	})
	_, err = topics.Subscribe(t.Context(), &awssns.SubscribeInput{
		TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn, Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *topic.TopicArn, *queue.QueueUrl
}
