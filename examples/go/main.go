// Command go sends a notification and a batch with Belfry's Go client, and says
// how they ended.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) // of a refused request: every fault, with its place
	}
}

func run(ctx context.Context) error {
	c, err := client.New(cmp.Or(os.Getenv("BELFRY_API"), "http://127.0.0.1:8080"), os.Getenv("BELFRY_API_KEY"))
	if err != nil {
		return err
	}
	if err := sendOne(ctx, c); err != nil {
		return err
	}
	return sendMany(ctx, c)
}

// sendOne sends to all devices of a user.
func sendOne(ctx context.Context, c *client.Client) error {
	_, err := c.PutDevice(ctx, "phone-of-bob", client.Device{Token: "token-of-bob", Platform: client.PlatformAndroid, UserID: "bob"})
	if err != nil {
		return err
	}
	// With a key that comes from your data, here the order's number, this send
	// stays one, also if your program is started again in the middle.
	n, err := c.Send(ctx, client.Request{
		To:       &client.Target{UserIDs: []string{"bob"}},
		Message:  json.RawMessage(`{"notification": {"title": "Shipped", "body": "Your order is on its way."}}`),
		Priority: client.PriorityHigh,
		TTL:      "6h",
	}, client.WithIdempotencyKey("order-1042-shipped"))
	if err != nil {
		return err
	}
	n, err = c.Await(ctx, n.ID, 100*time.Millisecond)
	if err != nil {
		return err
	}
	fmt.Printf("notification %s: %s, %d sent\n", n.ID, n.State, n.Counts.Sent)
	return nil
}

// sendMany sends a batch whose recipients come one after the other, so that a
// million of them need no memory.
func sendMany(ctx context.Context, c *client.Client) error {
	n, err := c.SendBatch(ctx, client.Request{
		Message:  json.RawMessage(`{"notification": {"title": "News"}}`),
		Priority: client.PriorityBulk,
	}, customers())
	if err != nil {
		return err
	}
	for p, err := range c.Watch(ctx, n.ID) { // reconnects by itself
		if err != nil {
			return err
		}
		n = p.Notification
		if !n.Done() {
			fmt.Printf("batch %s: %d of %d done\n", n.ID, n.Counts.Accepted-n.Counts.Open, n.Counts.Accepted)
		}
	}
	fmt.Printf("batch %s: %s, %d sent\n", n.ID, n.State, n.Counts.Sent)

	failed := map[client.Code]int{}
	for d, err := range c.Report(ctx, n.ID, client.DeliveryFilter{Class: client.ClassPermanent}) {
		if err != nil {
			return err
		}
		failed[d.Code]++
	}
	for code, times := range failed {
		fmt.Printf("  %d failed: %s\n", times, code)
	}
	return nil
}

// customers stands for a query of your database. One in a hundred has removed
// the app: the FCM simulator knows by the token.
func customers() iter.Seq[client.Recipient] {
	return func(yield func(client.Recipient) bool) {
		for i := range 1000 {
			r := client.Recipient{Token: fmt.Sprintf("customer-%d", i), Data: map[string]string{"customer": strconv.Itoa(i)}}
			if i%100 == 0 {
				r.Token = fmt.Sprintf("sim-unregistered-%d", i)
			}
			if !yield(r) {
				return
			}
		}
	}
}
