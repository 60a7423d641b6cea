// Command sns-publisher asks Belfry for a notification by an event on SNS. The
// envelope is a CloudEvent in JSON; any language can write it:
//
//	{
//	  "specversion": "1.0",
//	  "type": "push.notification.requested.v1",
//	  "source": "/shop/orders",
//	  "id": "order-1042-shipped",
//	  "datacontenttype": "application/json",
//	  "data": {"to": {"user_ids": ["alice"]}, "message": {"notification": {"title": "Shipped"}}}
//	}
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/belfry-push/belfry/client"
)

func main() {
	topic := "arn:aws:sns:us-east-1:000000000000:belfry-events" // of the stand-ins
	if len(os.Args) > 1 {
		topic = os.Args[1]
	}
	if err := publish(context.Background(), topic); err != nil {
		log.Fatal(err)
	}
}

func publish(ctx context.Context, topic string) error {
	cfg, err := config.LoadDefaultConfig(ctx) // region, keys and endpoints of AWS's environment
	if err != nil {
		return err
	}
	// Belfry knows an event by source and id: a second copy changes nothing, so
	// publish again whenever you are not sure that the first arrived.
	event, err := client.NewRequested("/shop/orders", "order-1042-shipped", client.Request{
		To:      &client.Target{UserIDs: []string{"alice"}},
		Message: json.RawMessage(`{"notification": {"title": "Shipped", "body": "Your order is on its way."}}`),
		TTL:     "6h", // counts from the event's time, also if Belfry is away
	})
	if err != nil {
		return err
	}
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	// No message attributes: all is in the body.
	out, err := sns.NewFromConfig(cfg).Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: aws.String(string(body))})
	if err != nil {
		return err
	}
	fmt.Printf("published %s as %s\n", event.ID, aws.ToString(out.MessageId))
	return nil
}
