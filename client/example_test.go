package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"time"

	"github.com/belfry-push/belfry/client"
)

// standIn answers as a server does, so that the examples run.
func standIn() *httptest.Server {
	mux := http.NewServeMux()
	say := func(pattern string, status int, v any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	done := client.Notification{ID: "bat_1", State: "completed", Counts: &client.Counts{Accepted: 2, Sent: 2}}
	say("POST /v1/notifications", http.StatusAccepted, client.Notification{ID: "ntf_1", State: "accepted"})
	say("POST /v1/batches", http.StatusCreated, client.Notification{ID: "bat_1", State: "uploading"})
	say("POST /v1/batches/bat_1/recipients", http.StatusOK, client.UploadResult{Accepted: 2, Watermark: 2})
	say("POST /v1/batches/bat_1/start", http.StatusOK, client.Notification{ID: "bat_1", State: "accepted"})
	say("GET /v1/notifications/bat_1", http.StatusOK, done)
	say("GET /v1/batches/bat_1/report", http.StatusOK, client.Delivery{Line: 2, Class: "permanent", Code: "fcm.unregistered"})
	mux.HandleFunc("GET /v1/notifications/bat_1/events", func(w http.ResponseWriter, _ *http.Request) {
		half := client.Notification{ID: "bat_1", State: "sending", Counts: &client.Counts{Accepted: 2, Sent: 1, Open: 1}}
		for _, n := range []client.Notification{half, done} {
			name := map[bool]string{false: client.EventProgress, true: client.EventDone}[n.Done()]
			data, _ := json.Marshal(n)
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", n.Counts.Sent, name, data)
		}
	})
	steps := []client.TraceStep{{Step: "attempt", Attempt: 1, Code: "fcm.unregistered"}, {Step: "outcome", Code: "fcm.unregistered"}}
	trace := client.Trace{Deliveries: []client.TracedDelivery{{Steps: steps}}}
	say("GET /v1/notifications/bat_1/deliveries/line:2", http.StatusOK, trace)
	return httptest.NewServer(mux)
}

// Send one notification to the devices of two users.
func ExampleClient_Send() {
	server := standIn()
	defer server.Close()

	c, err := client.New(server.URL, os.Getenv("BELFRY_API_KEY"))
	if err != nil {
		slog.Error("bad settings", "error", err)
		return
	}
	n, err := c.Send(context.Background(), client.Request{
		To:      &client.Target{UserIDs: []string{"alice", "bob"}},
		Message: json.RawMessage(`{"notification": {"title": "Shipped", "body": "Your order is on its way."}}`),
		TTL:     "6h",
	}, client.WithIdempotencyKey("order-1042-shipped"))
	if err != nil {
		slog.Error("not accepted", "error", err)
		return
	}
	fmt.Println(n.ID, n.State)
	// Output: ntf_1 accepted
}

// Send to any number of recipients and wait for the outcome.
func ExampleClient_SendBatch() {
	server := standIn()
	defer server.Close()
	ctx := context.Background()

	c, err := client.New(server.URL, "")
	if err != nil {
		slog.Error("bad settings", "error", err)
		return
	}
	recipients := func(yield func(client.Recipient) bool) {
		for _, name := range []string{"Ada", "Grace"} { // rows of a database, perhaps
			if !yield(client.Recipient{UserID: name, Data: map[string]string{"name": name}}) {
				return
			}
		}
	}
	n, err := c.SendBatch(ctx, client.Request{
		Message:  json.RawMessage(`{"notification": {"title": "News"}}`),
		Priority: "bulk",
	}, recipients)
	if err != nil {
		slog.Error("not started", "error", err)
		return
	}
	if n, err = c.Await(ctx, n.ID, time.Second); err != nil {
		slog.Error("lost sight of it", "error", err)
		return
	}
	fmt.Printf("%s: %d of %d sent\n", n.State, n.Counts.Sent, n.Counts.Accepted)
	// Output: completed: 2 of 2 sent
}

// Send to any number of recipients and watch it happen.
func ExampleClient_Watch() {
	server := standIn()
	defer server.Close()
	ctx := context.Background()

	c, err := client.New(server.URL, "")
	if err != nil {
		slog.Error("bad settings", "error", err)
		return
	}
	recipients := slices.Values([]client.Recipient{{UserID: "ada"}, {Token: "a-registration-token"}})
	n, err := c.SendBatch(ctx, client.Request{
		Message:  json.RawMessage(`{"notification": {"title": "News"}}`),
		Priority: "bulk",
	}, recipients)
	if err != nil {
		slog.Error("not started", "batch", n.ID, "error", err)
		return
	}
	for p, err := range c.Watch(ctx, n.ID) { // reconnects by itself
		if err != nil {
			slog.Error("lost sight of it", "error", err)
			return
		}
		fmt.Printf("%s: %d of %d sent\n", p.State, p.Counts.Sent, p.Counts.Accepted)
	}
	// Output:
	// sending: 1 of 2 sent
	// completed: 2 of 2 sent
}

// Explain one delivery, here that of the second line of an upload.
func ExampleClient_Trace() {
	server := standIn()
	defer server.Close()

	c, err := client.New(server.URL, "")
	if err != nil {
		slog.Error("bad settings", "error", err)
		return
	}
	t, err := c.Trace(context.Background(), "bat_1", client.LineKey(2))
	if err != nil {
		slog.Error("nothing to explain", "error", err)
		return
	}
	for _, step := range t.Deliveries[0].Steps {
		fmt.Println(step.Step, step.Code)
	}
	// Output:
	// attempt fcm.unregistered
	// outcome fcm.unregistered
}

// Find out who was not reached, and why.
func ExampleClient_Report() {
	server := standIn()
	defer server.Close()

	c, err := client.New(server.URL, "")
	if err != nil {
		slog.Error("bad settings", "error", err)
		return
	}
	for d, err := range c.Report(context.Background(), "bat_1", client.DeliveryFilter{Class: "permanent"}) {
		if err != nil {
			slog.Error("the report broke off", "error", err)
			return
		}
		fmt.Println("line", d.Line, d.Code)
	}
	// Output: line 2 fcm.unregistered
}

// An error answer says what was wrong, field by field.
func ExampleProblem() {
	var err error = &client.Problem{
		Title: "Bad Request", Status: http.StatusBadRequest, Code: "invalid",
		Detail: "1 field is invalid",
		Errors: []client.ProblemError{{Pointer: "/ttl", Code: "value", Detail: "must be a duration such as 90s or 24h"}},
	}
	if client.IsProblem(err, "invalid") {
		fmt.Println(err)
	}
	// Output:
	// 1 field is invalid
	//   /ttl: must be a duration such as 90s or 24h
}
