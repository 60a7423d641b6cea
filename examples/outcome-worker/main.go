// Command outcome-worker reads Belfry's outgoing events from an SQS queue.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// event is a CloudEvent in JSON. What data is depends on the type.
type event struct {
	ID, Source, Type, Subject string
	Data                      json.RawMessage
}

func main() {
	queue := flag.String("queue", "shop-outcomes", "the queue's `name`")
	topic := flag.String("topic", "arn:aws:sns:us-east-1:000000000000:belfry-outcomes", "the topic's `ARN`, for -create")
	create := flag.Bool("create", false, "make the queue and subscribe it to the topic, if that was not done yet")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *queue, *topic, *create); !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// run reads until ctx ends or something fails.
func run(ctx context.Context, queue, topic string, create bool) error {
	cfg, err := config.LoadDefaultConfig(ctx) // region, keys and endpoints of AWS's environment
	if err != nil {
		return err
	}
	client := sqs.NewFromConfig(cfg)
	if create {
		if err := subscribe(ctx, client, sns.NewFromConfig(cfg), queue, topic); err != nil {
			return err
		}
	}
	at, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		return err
	}
	fmt.Println("waiting for events")
	seen := map[string]bool{} // keep it in your database, with what the event causes
	for {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: at.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20})
		if err != nil {
			return err
		}
		for _, m := range got.Messages {
			if err := handle(m, seen); err != nil {
				log.Print(err) // it comes again after the visibility timeout
				continue
			}
			// Only what is handled is deleted: a crash costs a repeat and no event.
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: at.QueueUrl, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return err
			}
		}
	}
}

// handle does what an event causes, once.
func handle(m types.Message, seen map[string]bool) error {
	var e event
	if err := json.Unmarshal([]byte(aws.ToString(m.Body)), &e); err != nil {
		return fmt.Errorf("message %s: %w", aws.ToString(m.MessageId), err)
	}
	if seen[e.Source+" "+e.ID] {
		return nil
	}
	if err := act(e); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	seen[e.Source+" "+e.ID] = true
	return nil
}

func act(e event) error {
	switch e.Type {
	case "push.notification.completed.v1":
		var data struct {
			Recipients int
			ByCode     map[string]int `json:"by_code"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		fmt.Printf("notification %s completed: %d of %d sent\n", e.Subject, data.ByCode["sent"], data.Recipients)
	case "push.device.quarantined.v1":
		var data struct {
			UserID string `json:"user_id"`
			Code   string
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return err
		}
		fmt.Printf("device %s of %s is gone (%s)\n", e.Subject, data.UserID, data.Code)
	case "push.notification.held.v1":
		fmt.Printf("notification %s waits for an operator: FCM refuses it for everybody\n", e.Subject)
	}
	return nil // other types are for others, or newer than this program
}
