package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// EventRequested is the type of event that asks for a notification; its data is
// a [Request].
const EventRequested = "push.notification.requested.v1"

// Event is a CloudEvents 1.0 event in JSON structured mode
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
// Source and ID together are its idempotency key.
type Event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            *time.Time      `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// NewRequested returns the event that asks for the notification. Source says
// who asks, as a URI reference such as /shop/orders, and id is unique for it.
func NewRequested(source, id string, req Request) (Event, error) {
	if source == "" || id == "" {
		return Event{}, errors.New("an event needs a source and an id")
	}
	data, err := json.Marshal(req)
	if err != nil {
		return Event{}, fmt.Errorf("encode an event's data: %w", err)
	}
	return Event{
		SpecVersion: "1.0", ID: id, Source: source, Type: EventRequested,
		DataContentType: typeJSON, Data: data,
	}, nil
}

// Publish hands an event to Belfry over HTTP, as SNS does over SQS. Publishing
// it again changes nothing, so this is repeated without an Idempotency-Key.
func (c *Client) Publish(ctx context.Context, e Event) (Notification, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return Notification{}, fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	var n Notification
	err = c.do(ctx, call{
		method: http.MethodPost, path: "/v1/events", body: body,
		contentType: "application/cloudevents+json", timeout: attemptTimeout,
	}, &n)
	return n, err
}
