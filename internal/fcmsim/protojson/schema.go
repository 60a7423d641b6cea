package protojson

import "github.com/belfry-push/belfry/internal/message"

// Schema returns the type of the whole request.
func Schema() *message.Type {
	return &message.Type{
		Name: "google.firebase.fcm.v1.SendMessageRequest",
		Fields: []*message.Field{
			{Name: "validate_only", Camel: "validateOnly", Kind: message.Bool},
			{Name: "message", Camel: "message", Kind: message.Object, Of: message.Described()},
		},
	}
}

// typeName is a field's type as error messages spell it.
func typeName(f *message.Field) string {
	const prefix = "type.googleapis.com/"
	switch f.Kind {
	case message.String:
		return "TYPE_STRING"
	case message.Bool:
		return "TYPE_BOOL"
	case message.Int32:
		return "TYPE_INT32"
	case message.Float:
		return "TYPE_FLOAT"
	case message.Duration:
		return prefix + "google.protobuf.Duration"
	case message.Timestamp:
		return prefix + "google.protobuf.Timestamp"
	case message.Enum:
		return prefix + f.EnumName
	case message.Object:
		return prefix + f.Of.Name
	case message.Map:
		return "map"
	case message.Struct:
		return prefix + "google.protobuf.Struct"
	}
	return "TYPE_UNKNOWN"
}
