package message

import (
	"encoding/json"
	"strings"
)

// checkWhole holds of the message itself. FCM: "When sending payloads containing
// only data fields to iOS devices, only normal priority ("apns-priority": "5")
// is allowed" (Message.data). Apple says of push type background: "Always use
// priority 5. Using priority 10 is an error".
func checkWhole(c *checker, m map[string]any) {
	if len(m) == 0 {
		c.fault(codeMissing, "must hold something to deliver: notification, data or a platform's own object")
	}
	apns, _ := m["apns"].(map[string]any)
	headers, _ := apns["headers"].(map[string]any)
	for name, v := range headers {
		if strings.EqualFold(name, HeaderPriority) && v == "10" && silentOnApple(m) {
			c.at("apns", func() {
				c.at("headers", func() {
					c.at(name, func() {
						c.fault(codeConflict, "must be 5 for a push that shows nothing: there is neither notification nor aps.alert, aps.badge or aps.sound")
					})
				})
			})
		}
	}
}

// silentOnApple reports whether an iPhone that gets the message would show
// nothing: a background push. Push types of other uses have their own rules.
func silentOnApple(m map[string]any) bool {
	apns, _ := m["apns"].(map[string]any)
	headers, _ := apns["headers"].(map[string]any)
	switch kind, ok := header(headers, HeaderPushType); {
	case kind == "background":
		return true
	case ok && kind != "alert":
		return false
	}
	if live, _ := apns["live_activity_token"].(string); live != "" {
		return false
	}
	if _, shown := m["notification"].(map[string]any); shown {
		return false
	}
	payload, _ := apns["payload"].(map[string]any)
	aps, _ := payload["aps"].(map[string]any)
	for _, key := range []string{"alert", "badge", "sound"} {
		if aps[key] != nil {
			return false
		}
	}
	return true
}

// CheckDataKey returns what is wrong with a key of data, or "". FCM keeps some
// for itself: Message.data reserves "from", "message_type" and what begins with
// "google." or "gcm.notification."; its error reference is wider ("gcm, or any
// value prefixed by google"), and is taken at its word.
func CheckDataKey(key string) (code, why string) {
	switch {
	case key == "":
		return codeValue, "a data key must not be empty"
	case key == "from" || key == "message_type" || strings.HasPrefix(key, "google") || strings.HasPrefix(key, "gcm"):
		return codeReserved, "data key is reserved by FCM: not from, message_type, google* or gcm*"
	}
	return "", ""
}

func checkData(c *checker, entries map[string]any) {
	for _, key := range sortedKeys(entries) {
		if code, why := CheckDataKey(key); why != "" {
			c.at(key, func() { c.fault(code, "%s", why) })
		}
	}
}

// checkAndroidNotification: arguments are "to be used in place of the format
// specifiers in" the text that the key names.
func checkAndroidNotification(c *checker, m map[string]any) {
	needsKey(c, m, "title_loc_args", "title_loc_key")
	needsKey(c, m, "body_loc_args", "body_loc_key")
}

func needsKey(c *checker, m map[string]any, args, key string) {
	if list, _ := m[args].([]any); len(list) == 0 {
		return
	}
	if s, ok := m[key].(string); s == "" && (ok || m[key] == nil) {
		c.at(args, func() { c.fault(codeMissing, "needs %s, the text that they go into", key) })
	}
}

// checkLightSettings: all three are "Required".
func checkLightSettings(c *checker, m map[string]any) {
	for _, name := range []string{"color", "light_on_duration", "light_off_duration"} {
		if m[name] == nil {
			c.at(name, func() { c.fault(codeMissing, "light_settings needs color, light_on_duration and light_off_duration") })
		}
	}
}

// checkPayload: ApnsConfig.payload has "both aps dictionary and custom payload";
// alert and sound are texts or dictionaries
// (https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification).
func checkPayload(c *checker, payload map[string]any) {
	raw, there := payload["aps"]
	if !there {
		return
	}
	c.at("aps", func() {
		aps, ok := raw.(map[string]any)
		if !ok {
			c.wantType("an object", raw)
			return
		}
		if alert := c.textOrObject(aps, "alert"); alert != nil {
			c.at("alert", func() {
				needsKey(c, alert, "loc-args", "loc-key")
				needsKey(c, alert, "title-loc-args", "title-loc-key")
				needsKey(c, alert, "subtitle-loc-args", "subtitle-loc-key")
			})
		}
		if sound := c.textOrObject(aps, "sound"); sound["volume"] != nil {
			c.at("sound", func() { c.at("volume", func() { c.volume(sound["volume"]) }) })
		}
	})
}

// textOrObject wants a text or an object, and returns the object.
func (c *checker) textOrObject(m map[string]any, name string) map[string]any {
	switch v := m[name].(type) {
	case nil, string:
		return nil
	case map[string]any:
		return v
	default:
		c.at(name, func() { c.wantType("a string or an object", v) })
		return nil
	}
}

// volume of a critical alert is from 0 to 1.
func (c *checker) volume(v any) {
	n, ok := v.(json.Number)
	if !ok {
		c.wantType("a number", v)
		return
	}
	c.reject(checkFraction(n))
}

// checkLiveActivity: an update of a live activity is an aps dictionary that says
// what event it is
// (https://developer.apple.com/documentation/activitykit/starting-and-updating-live-activities-with-activitykit-push-notifications).
func checkLiveActivity(c *checker, apns map[string]any) {
	if live, _ := apns["live_activity_token"].(string); live == "" {
		return
	}
	payload, _ := apns["payload"].(map[string]any)
	aps, _ := payload["aps"].(map[string]any)
	if why := oneOf("start", "update", "end")(text(aps["event"])); why != "" {
		c.at("live_activity_token", func() { c.fault(codeMissing, "needs payload.aps.event: %s", why) })
	}
}

// checkWebNotification: dir is one of the Notification API's
// (https://notifications.spec.whatwg.org/#enumdef-notificationdirection).
func checkWebNotification(c *checker, m map[string]any) {
	dir, there := m["dir"]
	if !there || dir == "" {
		return
	}
	c.at("dir", func() { c.reject(oneOf("auto", "ltr", "rtl")(text(dir))) })
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
