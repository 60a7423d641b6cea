package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// The types of event. In: a request to send. Out: what became of it; the data of
// each is a type of its own, see [Data].
const (
	EventRequested         = "push.notification.requested.v1"
	EventOutcome           = "push.delivery.outcome.v1"
	EventCompleted         = "push.notification.completed.v1"
	EventDeviceQuarantined = "push.device.quarantined.v1"
	EventBreakerChanged    = "push.breaker.changed.v1"
	EventCredentialInvalid = "push.credential.invalid.v1" //nolint:gosec // a name
	EventHeld              = "push.notification.held.v1"
	EventReconciled        = "push.notification.reconciled.v1"
	EventReplayChanged     = "push.replay.changed.v1"
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
// comes back as push.Faults with pointers into the event. Data are the bytes of
// the event, not checked any further than that they are JSON.
func DecodeEvent(data []byte) (Event, error) {
	a, faults := attributesOf(data)
	if faults != nil {
		return Event{}, faults
	}
	a.refuseMisspelt()
	e := Event{
		ID:     a.need("id", "required by CloudEvents: unique within the source"),
		Source: a.need("source", "required by CloudEvents: a URI that names the producer"),
		Type:   a.text("type"), Subject: a.text("subject"), TraceParent: a.text("traceparent"), Data: a.of["data"],
	}
	a.text("datacontenttype")
	a.text("dataschema")
	if strings.Contains(e.Source, "\n") { // or two events could share a Key
		a.fault("source", push.FaultValue, "must be a URI reference (has a line break)")
	}
	if v := a.need("specversion", `required by CloudEvents: "1.0"`); v != "" && !strings.HasPrefix(v, "1.") {
		a.fault("specversion", push.FaultValue, fmt.Sprintf(`must be "1.0" (got %q)`, clip(v)))
	}
	if e.Type != EventRequested && (a.of["type"] == nil || a.of["type"][0] == '"') {
		a.fault("type", push.FaultValue,
			fmt.Sprintf("must be %s (got %q)%s", EventRequested, clip(e.Type), strict.DidYouMean(e.Type, []string{EventRequested})))
	}
	switch {
	case a.of["data_base64"] != nil:
		a.fault("data_base64", push.FaultUnsupported, "put the request as JSON into data")
	case e.Data == nil:
		a.fault("data", push.FaultMissing, "required: the body of POST /v1/notifications")
	}
	if text := a.text("time"); text != "" {
		var err error
		e.Time, err = time.Parse(time.RFC3339Nano, strings.ToUpper(text))       // RFC 3339 §5.6: T and Z may be in lower case
		if year := e.Time.UTC().Year(); err != nil || year < 0 || year > 9999 { // RFC 3339 has four digits
			a.fault("time", push.FaultValue, fmt.Sprintf("must be an RFC 3339 time within the years 0 to 9999 UTC (got %q)", clip(text)))
		}
	}
	if len(a.faults) > 0 {
		return Event{}, a.faults
	}
	return e, nil
}

// DecodeOutgoing reads what EncodeEvent wrote.
func DecodeOutgoing(data []byte) (Event, error) {
	var in eventJSON
	if err := json.Unmarshal(data, &in); err != nil { //nolint:forbidigo // our own bytes
		return Event{}, fmt.Errorf("read an event: %w", err)
	}
	e := Event{Source: in.Source, ID: in.ID, Type: in.Type, Subject: in.Subject, TraceParent: in.TraceParent, Data: in.Data}
	if in.Time != nil {
		e.Time = *in.Time
	}
	return e, nil
}

// attributes are the members of a JSON object by their exact names; one that is
// null is not there. encoding/json would compare names without case.
type attributes struct {
	of     map[string]json.RawMessage
	faults push.Faults
}

func attributesOf(data []byte) (*attributes, push.Faults) {
	const not = "not a CloudEvent in structured JSON: "
	data = strict.TrimBOM(data)
	if bad := request.CheckJSON(data); bad != nil {
		bad.Detail = not + bad.Detail
		return nil, push.Faults{*bad}
	}
	var a attributes
	if err := json.Unmarshal(data, &a.of); err != nil || a.of == nil { //nolint:forbidigo // it was checked: only its type can be wrong
		return nil, push.Faults{{Code: push.FaultType, Detail: not + "it must be an object"}}
	}
	maps.DeleteFunc(a.of, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
	return &a, nil
}

func (a *attributes) fault(name, code, detail string) {
	a.faults = append(a.faults, push.Fault{Pointer: "/" + strict.Step(name), Code: code, Detail: detail})
}

// refuseMisspelt refuses names that probably stand for an attribute that is read. Other names are
// extensions, which any producer may add.
func (a *attributes) refuseMisspelt() {
	known := []string{
		"id", "source", "specversion", "type", "data", "subject", "time", "datacontenttype", "dataschema", "traceparent", "data_base64",
	}
	for _, name := range slices.Sorted(maps.Keys(a.of)) {
		if slices.Contains(known, name) {
			continue
		}
		if at := slices.IndexFunc(known, func(k string) bool { return strict.Alike(k, name) }); at >= 0 {
			a.fault(name, push.FaultUnknown, fmt.Sprintf("names of attributes are in lower case; did you mean %q?", known[at]))
		} else if meant := a.intendedName(name, known[:5], known[5:]); meant != "" {
			a.fault(name, push.FaultUnknown, fmt.Sprintf("unknown attribute; did you mean %q?", meant))
		}
	}
}

// intendedName returns the attribute that an extension's name probably stands for, or "". The
// attribute must be absent; for an optional attribute only a typing error counts, because mime and
// object are words of their own.
func (a *attributes) intendedName(name string, required, optional []string) string {
	absent := func(k string) bool { return a.of[k] == nil }
	if k := strict.Suggest(name, required); k != "" && absent(k) {
		return k
	}
	for _, k := range optional {
		if absent(k) && strict.Slip(strings.ToLower(name), k) {
			return k
		}
	}
	return ""
}

// text returns an attribute that is a string, "" if there is none.
func (a *attributes) text(name string) string {
	raw := a.of[name]
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		a.fault(name, push.FaultType, "must be a string (got "+typeOf(raw)+")")
		return ""
	}
	text, _ := strict.Unquote(raw[1 : len(raw)-1])
	return text
}

// need is text that must be there.
func (a *attributes) need(name, why string) string {
	before := len(a.faults)
	text := a.text(name)
	if text == "" && len(a.faults) == before {
		a.fault(name, push.FaultMissing, why)
	}
	return text
}

// typeOf names the type of a JSON value.
func typeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}

// joined writes an object of values that keep their bytes.
func joined(of map[string]json.RawMessage) []byte {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		quoted, _ := json.Marshal(name) // a text always can be
		out = append(append(append(out, quoted...), ':'), of[name]...)
	}
	return append(out, '}')
}

// Wrapped is what came on a queue of events.
type Wrapped struct {
	Event []byte    // as the producer wrote it
	At    time.Time // when SNS took it; zero if it came without SNS
	// TraceParent is the producer's message attribute of that name; "" if there is none.
	TraceParent string
}

// Unwrap returns the event inside an SNS notification
// (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html),
// or data itself when it is not wrapped, as with raw delivery. A wrapper of
// another type than Notification is an error.
func Unwrap(data []byte) (Wrapped, error) {
	a, faults := attributesOf(data)
	if faults != nil {
		return Wrapped{Event: data}, nil //nolint:nilerr // not a wrapper: the event decoder says what is wrong with it
	}
	kind, topic := a.text("Type"), a.text("TopicArn")
	if kind == "" || topic == "" {
		return Wrapped{Event: data}, nil
	}
	message := a.text("Message")
	if kind != "Notification" || message == "" {
		return Wrapped{}, push.Faults{
			{Pointer: "/Type", Code: push.FaultValue, Detail: fmt.Sprintf("SNS wrapper must be a Notification with a Message (got %q)", clip(kind))},
		}
	}
	at, _ := time.Parse(time.RFC3339Nano, a.text("Timestamp")) // zero if it is none
	var attributes map[string]struct{ Value string }
	_ = json.Unmarshal(a.of["MessageAttributes"], &attributes) //nolint:errchkjson,forbidigo // what is none has none
	return Wrapped{Event: []byte(message), At: at, TraceParent: attributes["traceparent"].Value}, nil
}

// Stamp returns an event with its time set, if it has none: its other bytes stay
// as they are, unless it says that its time is null. What is no event comes back
// unchanged.
func Stamp(event []byte, at time.Time) []byte {
	text := bytes.TrimLeft(strict.TrimBOM(event), " \t\r\n")
	var names map[string]json.RawMessage
	if request.CheckJSON(text) != nil || json.Unmarshal(text, &names) != nil { //nolint:forbidigo // it was checked
		return event
	}
	given, has := names["time"]
	empty := string(given) == "null" || string(given) == `""`
	stamp := `"` + at.UTC().Format(time.RFC3339Nano) + `"`
	switch {
	case len(names) == 0 || has && !empty:
		return event
	case !has:
		return append([]byte(`{"time":`+stamp+`,`), text[1:]...)
	}
	names["time"] = json.RawMessage(stamp)
	return joined(names)
}
