package push

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"time"
)

// Limits of FCM's HTTP v1 Message
// (https://firebase.google.com/docs/cloud-messaging/concept-options and
// https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).
const (
	MaxPayloadBytes      = 4096                // data and notification, as FCM counts them
	MaxTopicPayloadBytes = 2048                // the same for a topic or condition
	MaxTTL               = 28 * 24 * time.Hour // 2,419,200 s
)

// maxMessageBytes bounds the whole object, platform overrides included. FCM
// documents no figure for that; 16 KiB keeps a notification in one item of
// every backend.
const maxMessageBytes = 16 << 10

// Message is an FCM HTTP v1 Message object without its target, as compact JSON
// that [DecodeMessage] has checked. It is passed through whole.
type Message json.RawMessage

// MarshalJSON implements [json.Marshaler].
func (m Message) MarshalJSON() ([]byte, error) { return json.RawMessage(m).MarshalJSON() }

// UnmarshalJSON implements [json.Unmarshaler]. It does not check the message:
// storage and the wire hold checked ones.
func (m *Message) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(m).UnmarshalJSON(b) }

// DecodeMessage checks an FCM message strictly: unknown fields, wrong types,
// bad durations, reserved data keys, a target of its own, and more bytes than
// FCM takes are [Faults] with pointers below the given prefix ("/message").
func DecodeMessage(data []byte, prefix string) (Message, error) {
	tree, faults := decodeTree(data)
	if faults != nil {
		faults[0].Pointer = prefix + faults[0].Pointer
		return nil, faults
	}
	w := &walker{path: splitPointer(prefix)}
	checkMessage(w, tree)
	if len(w.faults) > 0 {
		return nil, w.faults
	}
	b, err := encodeTree(tree)
	return Message(b), err
}

func splitPointer(p string) []string {
	if p == "" {
		return nil
	}
	return strings.Split(strings.TrimPrefix(p, "/"), "/")
}

// checkMessage applies the schema and the limits that span fields.
func checkMessage(w *walker, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		w.wantType("an object", v)
		return
	}
	object(messageFields)(w, v)
	if len(m) == 0 {
		w.fault(FaultMissing, "must hold something to deliver: notification, data or a platform's own object")
	}
	if len(w.faults) > 0 {
		return
	}
	if n := PayloadBytes(m); n > MaxPayloadBytes {
		w.fault(FaultTooLarge, "data and notification must be at most %d bytes together (got %d)", MaxPayloadBytes, n)
	}
	if raw, err := json.Marshal(v); err == nil && len(raw) > maxMessageBytes {
		w.fault(FaultTooLarge, "must be at most %d bytes as JSON (got %d)", maxMessageBytes, len(raw))
	}
}

// PayloadBytes returns how many bytes FCM counts of a decoded message: keys and
// values of data and notification, and room for the belfry_id that every send
// carries.
func PayloadBytes(message map[string]any) int {
	n := len(DataID) + len(PrefixNotification) + 1 + 36
	for _, part := range []string{"data", "notification"} {
		if fields, ok := message[part].(map[string]any); ok {
			for k, v := range fields {
				if s, ok := v.(string); ok {
					n += len(k) + len(s)
				}
			}
		}
	}
	return n
}

//nolint:gochecknoglobals // the schema of FCM's Message; read-only
var messageFields = map[string]rule{
	"name":         refuse(FaultReserved, "is set by FCM"),
	"token":        refuse(FaultConflict, "belongs into \"to\", not into the message"),
	"fid":          refuse(FaultConflict, "belongs into \"to\", not into the message"),
	"topic":        refuse(FaultConflict, "belongs into \"to\", not into the message"),
	"condition":    refuse(FaultConflict, "belongs into \"to\", not into the message"),
	"data":         stringMap(dataKey),
	"notification": object(map[string]rule{"title": text, "body": text, "image": text}),
	"fcm_options":  object(map[string]rule{"analytics_label": analyticsLabel}),
	"android":      object(androidFields),
	"webpush": object(map[string]rule{
		"headers": stringMap(nil), "data": stringMap(nil), "notification": anyObject,
		"fcm_options": object(map[string]rule{"link": text, "analytics_label": analyticsLabel}),
	}),
	"apns": object(map[string]rule{
		"headers": stringMap(nil), "payload": anyObject, "live_activity_token": text,
		"fcm_options": object(map[string]rule{"analytics_label": analyticsLabel, "image": text}),
	}),
}

//nolint:gochecknoglobals // the schema of FCM's AndroidConfig; read-only
var androidFields = map[string]rule{
	"collapse_key":             text,
	"priority":                 oneOf("NORMAL", "HIGH", "normal", "high"),
	"ttl":                      durationUpTo(MaxTTL),
	"restricted_package_name":  text,
	"data":                     stringMap(dataKey),
	"direct_boot_ok":           boolean,
	"bandwidth_constrained_ok": boolean,
	"restricted_satellite_ok":  boolean,
	"fcm_options":              object(map[string]rule{"analytics_label": analyticsLabel}),
	"notification": object(map[string]rule{
		"title": text, "body": text, "icon": text, "color": color, "sound": text, "tag": text,
		"click_action": text, "body_loc_key": text, "body_loc_args": list(64, text),
		"title_loc_key": text, "title_loc_args": list(64, text), "channel_id": text, "ticker": text,
		"sticky": boolean, "event_time": timestamp, "local_only": boolean,
		"notification_priority": oneOf("PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
		"default_sound":         boolean, "default_vibrate_timings": boolean, "default_light_settings": boolean,
		"vibrate_timings":    list(64, durationUpTo(time.Hour)),
		"visibility":         oneOf("VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
		"notification_count": integer(0, math.MaxInt32),
		"light_settings": object(map[string]rule{
			"color":             object(map[string]rule{"red": fraction, "green": fraction, "blue": fraction, "alpha": fraction}),
			"light_on_duration": durationUpTo(time.Hour), "light_off_duration": durationUpTo(time.Hour),
		}),
		"image":                     text,
		"bypass_proxy_notification": boolean,
		"proxy":                     oneOf("PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
	}),
}

func refuse(code, why string) rule {
	return func(w *walker, _ any) { w.fault(code, "%s", why) }
}

// dataKey refuses the names that FCM keeps for itself: "from", "message_type",
// and anything that starts with "google" or "gcm"
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages#Message).
func dataKey(w *walker, key string) {
	switch {
	case key == "":
		w.fault(FaultValue, "a data key must not be empty")
	case reservedKey(key):
		w.fault(FaultReserved, "data key is reserved by FCM: not from, message_type, google* or gcm*")
	}
}

func reservedKey(key string) bool {
	return key == "from" || key == "message_type" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm")
}

var (
	durationForm = regexp.MustCompile(`^(\d{1,12})(?:\.\d{1,9})?s$`)
	colorForm    = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	labelForm    = regexp.MustCompile(`^[a-zA-Z0-9\-_.~%]{1,50}$`)
)

// durationUpTo takes a protobuf JSON duration, as in "3.5s".
func durationUpTo(most time.Duration) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if !durationForm.MatchString(s) {
			w.fault(FaultValue, `must be seconds with up to nine decimals and an "s", as in "3.5s" (got %q)`, clip(s))
			return
		}
		if d, err := time.ParseDuration(s); err != nil || d > most {
			w.fault(FaultValue, "must be at most %ds (got %q)", int64(most/time.Second), clip(s))
		}
	}
}

func timestamp(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
		w.fault(FaultValue, "must be an RFC 3339 time (got %q)", clip(s))
	}
}

func color(w *walker, v any) {
	if s, ok := v.(string); !ok {
		w.wantType("a string", v)
	} else if !colorForm.MatchString(s) {
		w.fault(FaultValue, "must be #rrggbb (got %q)", clip(s))
	}
}

func analyticsLabel(w *walker, v any) {
	if s, ok := v.(string); !ok {
		w.wantType("a string", v)
	} else if !labelForm.MatchString(s) {
		w.fault(FaultValue, "must match ^[a-zA-Z0-9-_.~%%]{1,50}$ (got %q)", clip(s))
	}
}
