package fcmsim

import "strings"

// The shape of a send request, from the API's discovery document (https://fcm.googleapis.com/$discovery/rest?version=v1,
// revision 20260306) and, for Message.fid, from the official Go client v4.21.0.

// kind is the protocol buffer type of a field.
type kind uint8

const (
	kindString   kind = iota
	kindBool          // true or false
	kindInt32         // a number, or a string with one
	kindFloat         // likewise
	kindDuration      // google.protobuf.Duration: "3.5s"
	kindTime          // google.protobuf.Timestamp: RFC 3339
	kindEnum          // a name of field.names
	kindMessage       // an object with the fields of field.message
	kindMap           // map<string, string>
	kindStruct        // google.protobuf.Struct: any object
)

// slot is where the decoder notes that a field was seen and how many bytes of payload it held.
type slot uint8

const (
	slotNone slot = iota // noted, but never looked at
	slotData
	slotTitle
	slotBody
	slotImage
	slotAndroidData
	slotAndroidTitle
	slotAndroidBody
	slotAndroidImage
	slotAndroidOther // every other text of an Android notification
	slotLightSettings
	slotLightColor
	slotLightOn
	slotLightOff
	slotWebpushData
	slotWebpushNotification
	slotApnsPayload
	slotCount
)

// message is a message type: its fields by name.
type message struct {
	typ    string // name below google.firebase.fcm.v1, or a full one
	fields []*field
}

// field is one field of a message type. JSON may use either of its two names.
type field struct {
	name, camel string
	kind        kind
	repeated    bool
	enumType    string
	names       []string // of kindEnum, in upper case
	message     *message // of kindMessage
	slot        slot

	// What FCM checks beyond the type; nil where it does not.
	check  func(d *decoder, t text)                      // a scalar value
	entry  func(d *decoder, key, value text)             // an entry of a map
	member func(d *decoder, key text, firstOfValue byte) // a member of a struct
}

// lookup finds a field by the key as it stands in the JSON, nil if there is none.
func (m *message) lookup(key []byte) *field {
	for _, f := range m.fields {
		if string(key) == f.name || string(key) == f.camel {
			return f
		}
	}
	return nil
}

// at gives the field a slot.
func (f *field) at(s slot) *field {
	f.slot = s
	return f
}

// checked gives a scalar field a check.
func (f *field) checked(check func(d *decoder, t text)) *field {
	f.check = check
	return f
}

// entries gives a map field a check of its entries.
func (f *field) entries(entry func(d *decoder, key, value text)) *field {
	f.entry = entry
	return f
}

// members gives a struct field a check of its members.
func (f *field) members(member func(d *decoder, key text, firstOfValue byte)) *field {
	f.member = member
	return f
}

// typeName is the type as error messages spell it.
func (f *field) typeName() string {
	switch f.kind {
	case kindString:
		return "TYPE_STRING"
	case kindBool:
		return "TYPE_BOOL"
	case kindInt32:
		return "TYPE_INT32"
	case kindFloat:
		return "TYPE_FLOAT"
	case kindDuration:
		return "type.googleapis.com/google.protobuf.Duration"
	case kindTime:
		return "type.googleapis.com/google.protobuf.Timestamp"
	case kindEnum:
		return "type.googleapis.com/google.firebase.fcm.v1." + f.enumType
	case kindMessage:
		return "type.googleapis.com/" + f.message.typ
	case kindMap:
		return "map"
	case kindStruct:
		return "type.googleapis.com/google.protobuf.Struct"
	}
	return "TYPE_UNKNOWN"
}

func newField(name string, k kind) *field {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return &field{name: name, camel: strings.Join(words, ""), kind: k}
}

func list(name string, k kind) *field {
	f := newField(name, k)
	f.repeated = true
	return f
}

func enum(name, typ string, names ...string) *field {
	f := newField(name, kindEnum)
	f.enumType, f.names = typ, names
	return f
}

func sub(name, typ string, fields ...*field) *field {
	f := newField(name, kindMessage)
	if !strings.Contains(typ, ".") {
		typ = "google.firebase.fcm.v1." + typ
	}
	f.message = &message{typ: typ, fields: fields}
	return f
}

func options(typ string, more ...*field) *field {
	return sub("fcm_options", typ, append(more, newField("analytics_label", kindString).checked((*decoder).checkLabel))...)
}

// newSchema returns the type of the whole request.
func newSchema() *message {
	return sub("", "SendMessageRequest",
		newField("validate_only", kindBool).checked((*decoder).takeValidateOnly),
		sub("message", "Message",
			newField("name", kindString),
			newField("token", kindString).checked(takeTarget(targetToken)),
			newField("fid", kindString).checked(takeTarget(targetFID)),
			newField("topic", kindString).checked(takeTarget(targetTopic)),
			newField("condition", kindString).checked(takeTarget(targetCondition)),
			newField("data", kindMap).at(slotData).entries((*decoder).takeData),
			sub("notification", "Notification",
				newField("title", kindString).at(slotTitle),
				newField("body", kindString).at(slotBody),
				newField("image", kindString).at(slotImage)),
			androidSchema(), webpushSchema(), apnsSchema(),
			options("FcmOptions"),
		),
	).message
}

func androidSchema() *field {
	return sub("android", "AndroidConfig",
		newField("collapse_key", kindString),
		enum("priority", "AndroidConfig.AndroidMessagePriority", "NORMAL", "HIGH"),
		newField("ttl", kindDuration).checked((*decoder).checkTTL),
		newField("restricted_package_name", kindString),
		newField("data", kindMap).at(slotAndroidData).entries(checkDataKey("message.android.data")),
		androidNotificationSchema(),
		options("AndroidFcmOptions"),
		newField("direct_boot_ok", kindBool),
		newField("bandwidth_constrained_ok", kindBool),
		newField("restricted_satellite_ok", kindBool))
}

func androidNotificationSchema() *field {
	fields := []*field{
		newField("title", kindString).at(slotAndroidTitle),
		newField("body", kindString).at(slotAndroidBody),
		newField("image", kindString).at(slotAndroidImage),
		newField("color", kindString).checked((*decoder).checkColor),
		newField("sticky", kindBool),
		newField("event_time", kindTime),
		newField("local_only", kindBool),
		newField("default_sound", kindBool),
		newField("default_vibrate_timings", kindBool),
		newField("default_light_settings", kindBool),
		newField("notification_count", kindInt32),
		list("vibrate_timings", kindDuration),
		list("body_loc_args", kindString).at(slotAndroidOther),
		list("title_loc_args", kindString).at(slotAndroidOther),
		enum("notification_priority", "AndroidNotification.NotificationPriority", "PRIORITY_UNSPECIFIED",
			"PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
		enum("visibility", "AndroidNotification.Visibility", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
		enum("proxy", "AndroidNotification.Proxy", "PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
		sub("light_settings", "LightSettings",
			sub("color", "google.type.Color", newField("red", kindFloat), newField("green", kindFloat),
				newField("blue", kindFloat), newField("alpha", kindFloat)).at(slotLightColor),
			newField("light_on_duration", kindDuration).at(slotLightOn),
			newField("light_off_duration", kindDuration).at(slotLightOff)).at(slotLightSettings),
	}
	for _, name := range []string{
		"icon", "sound", "tag", "click_action", "body_loc_key", "title_loc_key", "channel_id", "ticker",
	} {
		fields = append(fields, newField(name, kindString).at(slotAndroidOther))
	}
	return sub("notification", "AndroidNotification", fields...)
}

func webpushSchema() *field {
	return sub("webpush", "WebpushConfig",
		newField("headers", kindMap).entries((*decoder).checkWebpushHeader),
		newField("data", kindMap).at(slotWebpushData).entries(checkDataKey("message.webpush.data")),
		newField("notification", kindStruct).at(slotWebpushNotification),
		options("WebpushFcmOptions", newField("link", kindString).checked((*decoder).checkLink)))
}

func apnsSchema() *field {
	return sub("apns", "ApnsConfig",
		newField("headers", kindMap).entries((*decoder).checkApnsHeader),
		newField("payload", kindStruct).at(slotApnsPayload).members((*decoder).checkApnsMember),
		options("ApnsFcmOptions", newField("image", kindString)),
		newField("live_activity_token", kindString))
}
