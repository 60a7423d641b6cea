package describe

import (
	"math"

	"github.com/danielgtaylor/huma/v2"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/message"
)

// messageName is the schema of FCM's Message without its target.
const messageName = "Message"

// messageSchemas are FCM's message and the types in it, by name, as package message
// describes them.
func messageSchemas() map[string]*huma.Schema {
	out := map[string]*huma.Schema{}
	addMessage(out, message.Described())
	out[messageName].Description = "FCM's Message object (HTTP v1) without its target, which is in to or in the upload. " +
		"It needs at least one of its members."
	out[messageName].MinProperties = new(1)
	return out
}

// schemaNameOf tells FCM's types apart from Belfry's own.
func schemaNameOf(t *message.Type) string {
	if t == message.Described() {
		return messageName
	}
	return messageName + t.Short()
}

func addMessage(all map[string]*huma.Schema, t *message.Type) {
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}, Description: "FCM's " + t.Name + ".",
	}
	all[schemaNameOf(t)] = s
	for _, f := range t.Fields {
		if f.Target || f.OutputOnly {
			continue
		}
		p := valueOf(f)
		if f.Kind == message.Object {
			addMessage(all, f.Of)
		}
		if f.Repeated {
			p = &huma.Schema{Type: huma.TypeArray, Items: p}
		}
		p.Description = f.About()
		s.Properties[f.Name] = p
	}
}

// valueOf describes one value of a field.
func valueOf(f *message.Field) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Pattern: f.AllowedText()}
	for _, example := range f.Examples() {
		s.Examples = append(s.Examples, example)
	}
	switch f.Kind {
	case message.Bool:
		s.Type = huma.TypeBoolean
	case message.Int32:
		s.Type, s.Format, s.Minimum, s.Maximum = huma.TypeInteger, "int32", new(0.0), new(float64(math.MaxInt32))
	case message.Float:
		s.Type, s.Format, s.Minimum, s.Maximum = huma.TypeNumber, "double", new(0.0), new(1.0)
	case message.Duration:
		s.Examples = []any{"3.5s"}
	case message.Timestamp:
		s.Format = "date-time"
	case message.Enum:
		for _, v := range f.Values() {
			s.Enum = append(s.Enum, v)
		}
	case message.Object:
		return door.RefTo(schemaNameOf(f.Of))
	case message.Map:
		s.Type, s.AdditionalProperties = huma.TypeObject, &huma.Schema{Type: huma.TypeString}
	case message.Struct:
		s.Type, s.AdditionalProperties = huma.TypeObject, true
	case message.String:
		if f.Name == "image" || f.Name == "link" {
			s.Format = "uri"
		}
	}
	return s
}
