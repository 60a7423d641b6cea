package sqs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
	"github.com/belfry-push/belfry/test/standins"
)

// What SQS promises, by its documentation; all pages are below
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest.
func accountFeatures() workertest.Features {
	return workertest.Features{
		Groups:                true, // APIReference/API_ReceiveMessage.html: the attribute MessageGroupId
		Redrive:               true, // SQSDeveloperGuide/sqs-dead-letter-queues.html
		GarbageReceiptRefused: true, // APIReference/API_ChangeMessageVisibility.html: ReceiptHandleIsInvalid
		EmojiBodies:           true, // APIReference/API_SendMessage.html: #x10000 to #x10FFFF

		Fairness:            false, // SQSDeveloperGuide/sqs-fair-queues.html: quiet groups are preferred, there is no rotation
		Depth:               false, // SQSDeveloperGuide/sqs-resources-required-process-messages.html: approximate, up to a minute old
		ExactReceiveCounts:  false, // APIReference/API_ReceiveMessage.html: ApproximateReceiveCount
		StaleReceiptRefused: false, // APIReference/API_DeleteMessage.html: an old receipt may succeed and delete nothing
	}
}

// What fauxqs 1.9.2 does otherwise: it is exact where SQS is approximate,
// forgets the group of a message on a standard queue, and refuses characters
// beyond U+FFFF.
func standInFeatures() workertest.Features {
	f := accountFeatures()
	f.Depth, f.ExactReceiveCounts, f.StaleReceiptRefused = true, true, true
	f.Groups, f.EmojiBodies = false, false
	return f
}

// standInFaults are cases in which fauxqs 1.9.2 does what SQS does not, with
// what SQS's documentation says.
func standInFaults() map[string]string {
	return map[string]string{
		"a receipt deletes after the lapse": "fauxqs forgets a receipt when its visibility lapses; SQS takes the latest receipt of a message " +
			"(APIReference/API_DeleteMessage.html: even if the message was handed to somebody else because of the visibility timeout)",
	}
}

func TestConformanceQueue(t *testing.T) {
	t.Parallel()
	features := standInFeatures()
	if servers.Messaging(t).Account {
		features = accountFeatures()
	}
	workertest.Run(t, openHarness, features)
}

// lastQueue numbers the queues of this test binary.
var lastQueue atomic.Int64

func openHarness(t *testing.T, cfg workertest.Config) workertest.Harness {
	t.Helper()
	target := servers.Messaging(t)
	if !target.Account {
		for name, why := range standInFaults() {
			if strings.HasSuffix(t.Name(), "/"+strings.ReplaceAll(name, " ", "_")) {
				t.Skip(why)
			}
		}
	}
	admin := awssqs.NewFromConfig(target.Config)
	attributes := map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout): strconv.Itoa(int(cfg.Visibility / time.Second)),
	}
	var h workertest.Harness
	if cfg.MaxReceives > 0 {
		dead := createQueue(t, admin, fmt.Sprintf("%sdead-%d", target.Prefix, lastQueue.Add(1)), nil)
		out, err := admin.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
			QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
		})
		if err != nil {
			t.Fatal(err)
		}
		attributes[string(types.QueueAttributeNameRedrivePolicy)] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`,
			out.Attributes[string(types.QueueAttributeNameQueueArn)], cfg.MaxReceives)
		h.DeadLetters = openQueue(t, target, dead[strings.LastIndexByte(dead, '/')+1:])
	}
	name := fmt.Sprintf("%swork-%d", target.Prefix, lastQueue.Add(1))
	createQueue(t, admin, name, attributes)
	h.Queue = openQueue(t, target, name)
	h.Reopen = func(t *testing.T) worker.Queue {
		t.Helper()
		return openQueue(t, target, name)
	}
	return h
}

func createQueue(t *testing.T, admin *awssqs.Client, name string, attributes map[string]string) (url string) {
	t.Helper()
	out, err := admin.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatalf("CreateQueue(%s): %v", name, err)
	}
	t.Cleanup(func() {
		if _, err := admin.DeleteQueue(context.WithoutCancel(t.Context()), &awssqs.DeleteQueueInput{QueueUrl: out.QueueUrl}); err != nil {
			t.Errorf("DeleteQueue(%s): %v", name, err)
		}
	})
	return *out.QueueUrl
}

func openQueue(t *testing.T, target standins.Target, name string) *Queue {
	t.Helper()
	q, err := New(target.Config, nil).Open(t.Context(), name)
	if err != nil {
		t.Fatalf("Open(%s): %v", name, err)
	}
	t.Cleanup(func() {
		// The context has ended by now, so that polls which are left are cut off.
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return q
}
