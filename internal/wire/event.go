package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// The types of event. In: a request to send. Out: what became of it.
const (
	EventRequested         = "push.notification.requested.v1"
	EventOutcome           = "push.delivery.outcome.v1"
	EventCompleted         = "push.notification.completed.v1"
	EventDeviceQuarantined = "push.device.quarantined.v1"
	EventBreakerChanged    = "push.breaker.changed.v1"
	EventReconciled        = "push.notification.reconciled.v1"
)

// Event is a CloudEvents 1.0 event in structured JSON mode
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
// Structured mode survives SNS, SQS and every dead-letter queue as one body.
type Event struct {
	Source      string
	ID          string
	Type        string
	Subject     string
	Time        time.Time // zero if absent
	TraceParent string    // the distributed-tracing extension
	Data        json.RawMessage
}

// Key is the idempotency key of an incoming event: source and id together are
// unique by the specification.
func (e *Event) Key() string { return e.Source + "\n" + e.ID }

type eventJSON struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            *time.Time      `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	TraceParent     string          `json:"traceparent,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
	DataBase64      string          `json:"data_base64,omitempty"`
}

// EncodeEvent returns the event in structured mode, ASCII only.
func EncodeEvent(e *Event) ([]byte, error) {
	out := eventJSON{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		DataContentType: "application/json", TraceParent: e.TraceParent, Data: e.Data,
	}
	if !e.Time.IsZero() {
		t := e.Time.UTC()
		out.Time = &t
	}
	return encode(out)
}

// DecodeEvent reads a request event in structured mode. What is wrong with it
// comes back as push.Faults with pointers into the event.
func DecodeEvent(data []byte) (Event, error) {
	var in eventJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return Event{}, push.Faults{{Code: push.FaultSyntax, Detail: "not a CloudEvent in structured JSON: " + err.Error()}}
	}
	var faults push.Faults
	need := func(pointer, value, detail string) {
		if value == "" {
			faults = append(faults, push.Fault{Pointer: pointer, Code: push.FaultMissing, Detail: detail})
		}
	}
	need("/id", in.ID, "required by CloudEvents: unique within the source")
	need("/source", in.Source, "required by CloudEvents: a URI that names the producer")
	if strings.Contains(in.Source, "\n") { // or two events could share a Key
		faults = append(faults, push.Fault{Pointer: "/source", Code: push.FaultValue, Detail: "must be a URI reference (has a line break)"})
	}
	switch {
	case in.SpecVersion == "":
		need("/specversion", "", `required by CloudEvents: "1.0"`)
	case !strings.HasPrefix(in.SpecVersion, "1."):
		faults = append(faults, push.Fault{Pointer: "/specversion", Code: push.FaultValue, Detail: fmt.Sprintf(`must be "1.0" (got %q)`, clip(in.SpecVersion))})
	}
	if in.Type != EventRequested {
		faults = append(faults, push.Fault{Pointer: "/type", Code: push.FaultValue, Detail: fmt.Sprintf("must be %s (got %q)", EventRequested, clip(in.Type))})
	}
	switch {
	case in.DataBase64 != "":
		faults = append(faults, push.Fault{Pointer: "/data_base64", Code: push.FaultUnsupported, Detail: "put the request as JSON into data"})
	case len(in.Data) == 0:
		need("/data", "", "required: the body of POST /v1/notifications")
	}
	if in.Time != nil && (in.Time.UTC().Year() < 0 || in.Time.UTC().Year() > 9999) { // RFC 3339 has four digits
		faults = append(faults, push.Fault{Pointer: "/time", Code: push.FaultValue, Detail: "must be within the years 0 to 9999 UTC"})
	}
	if len(faults) > 0 {
		return Event{}, faults
	}
	e := Event{Source: in.Source, ID: in.ID, Type: in.Type, Subject: in.Subject, TraceParent: in.TraceParent, Data: in.Data}
	if in.Time != nil {
		e.Time = *in.Time
	}
	return e, nil
}

// snsJSON is the wrapper that SNS puts around a message when raw delivery is off
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html).
type snsJSON struct {
	Type     string  `json:"Type"`
	TopicArn string  `json:"TopicArn"`
	Message  *string `json:"Message"`
}

// Unwrap returns the event inside an SNS notification, or data itself when it
// is not wrapped. A wrapper of another type than Notification is an error.
func Unwrap(data []byte) ([]byte, error) {
	var w snsJSON
	if err := json.Unmarshal(data, &w); err != nil || w.TopicArn == "" || w.Type == "" {
		return data, nil //nolint:nilerr // not a wrapper: the event decoder says what is wrong with it
	}
	if w.Type != "Notification" || w.Message == nil {
		return nil, push.Faults{{Pointer: "/Type", Code: push.FaultValue, Detail: fmt.Sprintf("SNS wrapper must be a Notification with a Message (got %q)", clip(w.Type))}}
	}
	return []byte(*w.Message), nil
}
