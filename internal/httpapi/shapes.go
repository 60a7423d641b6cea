package httpapi

import (
	"time"

	"github.com/belfry-push/belfry/client"
)

// The types in this file are never filled: they are the shapes of bodies that
// another package reads, for the OpenAPI document.

// event is what wire.DecodeEvent takes: a CloudEvent 1.0 in structured mode.
type event struct {
	SpecVersion     string         `json:"specversion" enum:"1.0"`
	ID              string         `json:"id" doc:"unique within the source"`
	Source          string         `json:"source" doc:"a URI that names the producer"`
	Type            string         `json:"type" enum:"push.notification.requested.v1"`
	Subject         string         `json:"subject,omitempty"`
	Time            *time.Time     `json:"time,omitempty"`
	DataContentType string         `json:"datacontenttype,omitempty" enum:"application/json"`
	DataSchema      string         `json:"dataschema,omitempty"`
	TraceParent     string         `json:"traceparent,omitempty" doc:"of the distributed-tracing extension; used instead of the header"`
	Data            client.Request `json:"data"`
	_               struct{}       `additionalProperties:"true"` // other extension attributes
}

// recipient is what push.DecodeRecipient takes: one line of an upload.
type recipient struct {
	Token      string            `json:"token,omitempty" doc:"FCM registration token; exactly one of token, fid, user_id and device_id"`
	FID        string            `json:"fid,omitempty" doc:"Firebase installation id"`
	UserID     string            `json:"user_id,omitempty" doc:"every active device of this user"`
	DeviceID   string            `json:"device_id,omitempty" doc:"id of a registered device"`
	Data       map[string]string `json:"data,omitempty" doc:"merged over message.data"`
	Locale     string            `json:"locale,omitempty" doc:"BCP 47"`
	CollapseID string            `json:"collapse_id,omitempty" doc:"instead of the batch's"`
}
