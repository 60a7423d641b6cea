package httpapi

import (
	"time"

	"github.com/belfry-push/belfry/client"
)

// The types in this file are never filled: they describe, for the OpenAPI document, bodies
// that another package reads.

// event describes what wire.DecodeEvent reads: a CloudEvent 1.0 in structured mode.
type event struct {
	SpecVersion     string         `json:"specversion" doc:"of CloudEvents" enum:"1.0"`
	ID              string         `json:"id" doc:"unique within the source"`
	Source          string         `json:"source" doc:"a URI that names the producer"`
	Type            string         `json:"type" doc:"what is asked for" enum:"push.notification.requested.v1"`
	Subject         string         `json:"subject,omitempty" doc:"what it is about; for you"`
	Time            *time.Time     `json:"time,omitempty" doc:"when it happened"`
	DataContentType string         `json:"datacontenttype,omitempty" doc:"of data" enum:"application/json"`
	DataSchema      string         `json:"dataschema,omitempty" doc:"for you; not looked at"`
	TraceParent     string         `json:"traceparent,omitempty" doc:"of the distributed-tracing extension; used instead of the header"`
	Data            client.Request `json:"data" doc:"the body of POST /v1/notifications"`
	_               struct{}       `additionalProperties:"true"` // other extension attributes
}

// recipient describes what request.DecodeRecipient reads: one line of an upload.
type recipient struct {
	Token      string            `json:"token,omitempty" doc:"FCM registration token; exactly one of token, fid, user_id and device_id"`
	FID        string            `json:"fid,omitempty" doc:"Firebase installation id"`
	UserID     string            `json:"user_id,omitempty" doc:"every active device of this user"`
	DeviceID   string            `json:"device_id,omitempty" doc:"id of a registered device"`
	Data       map[string]string `json:"data,omitempty" doc:"merged over message.data"`
	Locale     string            `json:"locale,omitempty" doc:"as the client reports it: en_US is stored as en-US (BCP 47)"`
	CollapseID string            `json:"collapse_id,omitempty" doc:"instead of the batch's"`

	Notification      *recipientTexts `json:"notification,omitempty" doc:"in place of the message's, on every platform"`
	Badge             *int32          `json:"badge,omitempty" minimum:"0" doc:"number on the app's icon; 0 removes it on Apple's devices"`
	LiveActivityToken string          `json:"live_activity_token,omitempty" doc:"of a Live Activity on this device"`
}

// recipientTexts are what a recipient is shown in place of the message's.
type recipientTexts struct {
	Title string `json:"title,omitempty" doc:"title"`
	Body  string `json:"body,omitempty" doc:"text"`
	Image string `json:"image,omitempty" doc:"URL of a picture"`
}

// typeEvent is the media type of a CloudEvent in structured JSON mode.
const typeEvent = "application/cloudevents+json"
