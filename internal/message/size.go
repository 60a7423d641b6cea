package message

import "encoding/json"

// Limits of a payload in bytes, on each platform by itself
// (https://firebase.google.com/docs/cloud-messaging/error-codes, INVALID_ARGUMENT).
const (
	Limit      = 4096 // to a device
	TopicLimit = 2048 // to a topic or condition
)

// LimitOf returns the limit of a message to a device or, if it is for an audience, to a topic or
// condition.
func LimitOf(audience bool) int {
	if audience {
		return TopicLimit
	}
	return Limit
}

// Sizes are how many bytes of payload each platform gets of a message. A sender
// does not know a token's platform, so each must be within the limit.
//
// FCM publishes the limit, not how it counts. Here the keys and values of data
// and notification count, as UTF-8 and without JSON's punctuation, after the
// platform's own fields have replaced the common ones. What a platform gets as a
// JSON document of the caller's (apns.payload, webpush.notification) counts as
// compact JSON, and with apns.payload so does what FCM adds to it. Options of
// delivery count nothing: target, priority, ttl, headers, collapse_key,
// fcm_options' labels. What FCM adds of its own is not known, some 100 bytes to
// an Apple device.
type Sizes struct{ Android, APNs, Web int }

// Largest returns the platform that gets most, as its object in a message is
// called, and how much.
func (s Sizes) Largest() (platform string, bytes int) {
	platform, bytes = "android", s.Android
	if s.APNs > bytes {
		platform, bytes = "apns", s.APNs
	}
	if s.Web > bytes {
		platform, bytes = "webpush", s.Web
	}
	return platform, bytes
}

// Measure returns the sizes of a checked message.
func Measure(m map[string]any) Sizes {
	data := child(m, "data")
	common := child(m, "notification")
	return Sizes{
		Android: measureAndroid(child(m, "android"), data, common),
		APNs:    measureAPNs(child(m, "apns"), data, common),
		Web:     measureWeb(child(m, "webpush"), data, common),
	}
}

func measureAndroid(android, data, common map[string]any) int {
	n := plain(either(child(android, "data"), data))
	own := child(android, "notification")
	for name, v := range own {
		n += len(name) + valueBytes(v)
	}
	for name, v := range common {
		if own[name] == nil {
			n += len(name) + valueBytes(v)
		}
	}
	return n
}

// measureAPNs: the payload "overrides Notification.title and Notification.body"
// where it has an alert of its own; the data become members beside aps.
func measureAPNs(apns, data, common map[string]any) int {
	image := common["image"]
	if own := child(apns, "fcm_options")["image"]; own != nil {
		image = own
	}
	payload, ok := apns["payload"].(map[string]any)
	if !ok {
		n := plain(data) + entryBytes("image", image)
		return n + entryBytes("title", common["title"]) + entryBytes("body", common["body"])
	}
	n := jsonBytes(payload)
	for k, v := range data {
		n += memberBytes(k, text(v))
	}
	if image != nil {
		n += memberBytes("image", text(image))
	}
	if child(payload, "aps")["alert"] == nil {
		for _, name := range []string{"title", "body"} {
			if v, ok := common[name].(string); ok {
				n += memberBytes(name, v)
			}
		}
	}
	return n
}

func measureWeb(web, data, common map[string]any) int {
	n := plain(either(child(web, "data"), data)) + entryBytes("link", child(web, "fcm_options")["link"])
	own, ok := web["notification"].(map[string]any)
	if ok {
		n += jsonBytes(own)
	}
	for name, v := range common {
		if own[name] == nil {
			n += entryBytes(name, v)
		}
	}
	return n
}

// child returns the object under a name, nil if there is none.
func child(m map[string]any, name string) map[string]any {
	c, _ := m[name].(map[string]any)
	return c
}

// either returns what a platform gets of two maps: its own, unless that is
// empty, which protocol buffers don't tell from absent.
func either(own, common map[string]any) map[string]any {
	if len(own) > 0 {
		return own
	}
	return common
}

// plain returns the bytes of keys and values of a map of texts.
func plain(m map[string]any) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(text(v))
	}
	return n
}

func entryBytes(name string, v any) int {
	if v == nil {
		return 0
	}
	return len(name) + valueBytes(v)
}

// valueBytes is a text's length, a list's sum, and the length of the JSON of
// anything else.
func valueBytes(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		n := 0
		for i := range v {
			n += valueBytes(v[i])
		}
		return n
	default:
		return jsonBytes(v)
	}
}

// jsonBytes returns the length of compact JSON in UTF-8 that escapes no more
// than it must.
func jsonBytes(v any) int {
	switch v := v.(type) {
	case string:
		return quotedBytes(v)
	case json.Number:
		return len(v)
	case bool:
		if v {
			return len("true")
		}
		return len("false")
	case map[string]any:
		n := len("{}") + max(0, len(v)-1)
		for k, e := range v {
			n += quotedBytes(k) + len(":") + jsonBytes(e)
		}
		return n
	case []any:
		n := len("[]") + max(0, len(v)-1)
		for i := range v {
			n += jsonBytes(v[i])
		}
		return n
	default:
		return len("null")
	}
}

// memberBytes is what one more member adds to a JSON object.
func memberBytes(k, v string) int { return quotedBytes(k) + quotedBytes(v) + len(":,") }

func quotedBytes(s string) int {
	n := len(s) + len(`""`)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
			n++
		case c < ' ':
			n += len(`\u0000`) - 1
		}
	}
	return n
}
