package describe

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/wire"
)

// typeEvent is the media type of a CloudEvent in structured JSON mode.
const typeEvent = "application/cloudevents+json"

// watched are the events of a stream, with what their data is.
func watched() []struct{ event, name, data, about string } {
	return []struct{ event, name, data, about string }{
		{client.EventProgress, "ProgressEvent", "Notification", "How it stands; at once, and whenever something changes."},
		{client.EventState, "StateEvent", "StateChange", "It has another state now."},
		{client.EventDone, "DoneEvent", "Notification", "How it ended; the stream ends, too."},
	}
}

// eventSchemas are the events of a stream and those that are published, and what
// else nothing but the document needs.
func eventSchemas() map[string]*huma.Schema {
	out := map[string]*huma.Schema{
		"PatchOperation": patchOperation(),
		"StateChange": object("That a notification or batch has another state now.", map[string]*huma.Schema{
			"id":    {Type: huma.TypeString, Description: "of the notification or batch"},
			"state": {Ref: door.RefTo("NotificationState").Ref, Description: "the state that it has now"},
		}, "id", "state"),
	}
	stream := &huma.Schema{Description: "One event of a stream: its name is after event:, its data is the JSON after data:."}
	for _, e := range watched() {
		out[e.name] = object(e.about, map[string]*huma.Schema{
			"id":    {Type: huma.TypeString, Description: "for Last-Event-ID; ids grow"},
			"event": {Type: huma.TypeString, Enum: []any{e.event}, Description: "the name of the event"},
			"data":  {Ref: door.RefTo(e.data).Ref, Description: "what it says"},
		}, "id", "event", "data")
		stream.OneOf = append(stream.OneOf, door.RefTo(e.name))
	}
	out["WatchEvent"] = stream
	addOutgoing(out)
	addTail(out)
	return out
}

// TailEvent is the name of the schema of what happens.
const TailEvent = "TailEvent"

// addTail adds the events of the stream of what happens: each is a published event, or one that is told there only, by its
// kind; or a gap.
func addTail(all map[string]*huma.Schema) {
	all["TailGap"] = object("That events are missing here.", map[string]*huma.Schema{
		"events": {Type: huma.TypeInteger, Nullable: true, Description: "how many, at most; null if nobody has counted them"},
	}, "events")
	data := &huma.Schema{Description: "the CloudEvent, or of gap how many are missing", OneOf: []*huma.Schema{door.RefTo("TailGap")}}
	for _, d := range slices.Concat(wire.Outgoing(), wire.Live()) {
		data.OneOf = append(data.OneOf, door.RefTo(outgoingName(d)))
	}
	kinds := []any{string(client.TailGap)}
	for _, k := range client.TailKinds() {
		kinds = append(kinds, string(k))
	}
	all[TailEvent] = object("One event of what happens: its name is after event:, its data is the JSON after data:.", map[string]*huma.Schema{
		"id":    {Type: huma.TypeString, Description: "for Last-Event-ID, on any server; behind it"},
		"event": {Type: huma.TypeString, Enum: kinds, Description: "the kind of event; others may be added"},
		"data":  data,
	}, "id", "event", "data")
}

// SampleTail is a short stream of what happens.
func SampleTail() string {
	var text strings.Builder
	text.WriteString("retry: 1000\n\nid: k3x9z.4\n\n")
	for i, s := range wire.LiveSamples() {
		e, err := s.Event()
		if err != nil {
			continue // TestTailEventsAreDescribed sees it missing
		}
		body, err := wire.EncodeEvent(&e)
		if err != nil {
			continue
		}
		kind := []client.TailKind{client.TailAccepted, client.TailChanged, client.TailAudit}[i]
		fmt.Fprintf(&text, "id: k3x9z.%d\nevent: %s\ndata: %s\n\n", i+5, kind, body)
	}
	text.WriteString("id: k3x9z.a\nevent: gap\ndata: {\"events\":2}\n\n")
	return text.String()
}

func object(about string, properties map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Description: about, Properties: properties, Required: required}
}

func patchOperation() *huma.Schema {
	return object("One operation of a JSON Patch (RFC 6902).", map[string]*huma.Schema{
		"op":    {Type: huma.TypeString, Enum: []any{"add", "remove", "replace", "move", "copy", "test"}, Description: "what is done"},
		"path":  {Type: huma.TypeString, Description: "where, as a JSON pointer into the message"},
		"from":  {Type: huma.TypeString, Description: "where move and copy take it from"},
		"value": {Description: "what add and replace put there, and test compares with"},
	}, "op", "path")
}

// sampleEvents is a short stream.
func sampleEvents() string {
	const id = "bat_01890a5d-ac96-774b-bcce-b302099a8058"
	return "retry: 1000\n\nid: 7\nevent: state\ndata: {\"id\":\"" + id + "\",\"state\":\"sending\"}\n\n" +
		"id: 7\nevent: progress\ndata: " + encoded(sampleBatch(client.StateSending)) + "\n\n" +
		"id: 9.done\nevent: done\ndata: " + encoded(sampleBatch(client.StateCompleted)) + "\n\n"
}

func encoded(v any) string {
	b, _ := json.Marshal(v) // a value of our own
	return string(b)
}

// outgoingName is the schema of an event by the type of its data.
func outgoingName(d wire.Data) string { return reflect.TypeOf(d).Name() + "Event" }

// addOutgoing adds the published events: each is the envelope with its type and data.
func addOutgoing(all map[string]*huma.Schema) {
	for _, d := range slices.Concat(wire.Outgoing(), wire.Live()) {
		r := huma.NewMapRegistry("#/components/schemas/", func(t reflect.Type, _ string) string { return t.Name() + "Data" })
		door.SchemaOf(r, reflect.TypeOf(d), sets())
		for name, s := range r.Map() {
			s.AdditionalProperties = nil // more may be added
			s.Description = "What an event of the type " + d.EventType() + " says."
			all[name] = s
		}
		envelope := huma.SchemaFromType(huma.NewMapRegistry("#/", huma.DefaultSchemaNamer), reflect.TypeFor[wire.Envelope]())
		envelope.AdditionalProperties = nil
		envelope.Description = about(d)
		envelope.Properties["type"] = &huma.Schema{Type: huma.TypeString, Enum: []any{d.EventType()}, Description: "says what data is"}
		envelope.Properties["data"] = &huma.Schema{Ref: door.RefTo(reflect.TypeOf(d).Name() + "Data").Ref, Description: "what happened"}
		all[outgoingName(d)] = envelope
	}
}

// about says when an event is published.
func about(d wire.Data) string {
	return map[string]string{
		wire.EventOutcome:           "Nothing of a chunk is open any more.",
		wire.EventCompleted:         "Nothing of a notification is open any more.",
		wire.EventHeld:              "A part of a notification waits for an operator, because FCM refused it for everybody.",
		wire.EventDeviceQuarantined: "Nothing is sent to a device any more, because its address was called dead or invalid.",
		wire.EventBreakerChanged:    "Sends through a credential are held back, tried or let through again.",
		wire.EventCredentialInvalid: "Google does not take the credential of an app any more.",
		wire.EventReconciled:        "What no queue message answered for any more was sent anew, or expired.",
		wire.EventAccepted:          "A notification or batch was accepted.",
		wire.EventChanged:           "Somebody uploaded to a batch, or started, paused, resumed or cancelled it or a notification.",
		wire.EventAudited:           "The audit log has another entry.",
		wire.EventReplayChanged:     "A replay of dead letters was started, paused, resumed, stopped, cancelled or completed.",
	}[d.EventType()]
}

const delivered = "Published as a CloudEvent 1.0 in structured JSON mode, at most once and in no order. On AWS it goes to the SNS topic " +
	"`PREFIX-outcomes`; an HTTPS subscription with raw message delivery gets it as this request. With the embedded backend it goes to " +
	"subscribers inside the process. Belfry itself calls no URL."

func notices() []door.Notice {
	var out []door.Notice
	for _, s := range wire.Samples() {
		e, err := s.Event()
		if err != nil {
			continue // TestEveryEventHasASample sees it missing
		}
		body, err := wire.EncodeEvent(&e)
		if err != nil {
			continue
		}
		name := reflect.TypeOf(s.Data).Name()
		out = append(out, door.Notice{
			Name: "on" + strings.ToUpper(name[:1]) + name[1:], About: about(s.Data), Detail: about(s.Data) + " " + delivered, Group: GroupEvents,
			Kind: typeEvent, Schema: door.RefTo(outgoingName(s.Data)), Sample: json.RawMessage(body),
		})
	}
	return out
}
