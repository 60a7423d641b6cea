package fcmsim

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	maxTTL          = 2_419_200 // seconds: four weeks (AndroidConfig.ttl)
	maxPayload      = 4096      // bytes of keys and values to a device (ErrorCode.INVALID_ARGUMENT)
	maxTopicPayload = 2048      // bytes of keys and values to a topic or condition
	maxCollapseID   = 64        // bytes of apns-collapse-id (Apple: Sending notification requests to APNs)
	maxLabel        = 50        // characters of an analytics label
	maxWebpushTopic = 32        // characters of a web push Topic (RFC 8030 §5.4)
)

// takeTarget returns the check that notes one member of Message's target union.
func takeTarget(kind targetKind) func(*decoder, text) {
	return func(d *decoder, t text) {
		if d.req.target != targetNone {
			d.violateAt("message", "Invalid value at 'message' (oneof), oneof field 'target' is already set. "+
				"Cannot set '"+kind.String()+"'")
			return
		}
		d.req.target, d.req.address = kind, t.String()
		if (kind == targetToken || kind == targetFID) && isPlain(t.raw) {
			d.req.start, d.req.end = t.start, t.start+len(t.raw)
		}
	}
}

func (d *decoder) takeValidateOnly(t text) { d.req.validateOnly = string(t.raw) == "true" }

func (d *decoder) takeData(key, value text) {
	checkDataKey("message.data")(d, key, value)
	if string(key.raw) == "belfry_id" {
		d.req.belfryID = value.String()
	}
}

// checkDataKey refuses the words that FCM keeps for itself: Message.data reserves "from", "message_type" and what
// begins with "google." or "gcm.notification."; the error reference is wider ("gcm, or any value prefixed by google")
// and is taken at its word.
func checkDataKey(where string) func(*decoder, text, text) {
	return func(d *decoder, key, _ text) {
		k := key.String()
		if k == "from" || k == "message_type" || strings.HasPrefix(k, "google") || strings.HasPrefix(k, "gcm") {
			d.refuse(unacceptable(violation{Field: where, Description: "Invalid data payload key: " + k}))
		}
	}
}

func (d *decoder) checkTTL(t text) {
	if seconds, _ := parseDuration(t.String()); seconds < 0 || seconds > maxTTL {
		d.refuse(unacceptable(violation{
			Field: "message.android.ttl", Description: "TTL must be between 0 and " + strconv.Itoa(maxTTL) + " seconds.",
		}))
	}
}

// checkColor: AndroidNotification.color is "expressed in #rrggbb format".
func (d *decoder) checkColor(t text) {
	if len(t.raw) != 0 && !isColor(t.String()) {
		d.refuse(unacceptable(violation{
			Field: "message.android.notification.color", Description: "Color must be in the form #rrggbb.",
		}))
	}
}

// checkLink: of WebpushFcmOptions.link "HTTPS is required".
func (d *decoder) checkLink(t text) {
	if u, err := url.Parse(t.String()); len(t.raw) != 0 && (err != nil || u.Scheme != "https" || u.Host == "") {
		d.refuse(unacceptable(violation{
			Field: "message.webpush.fcm_options.link", Description: "Link must be an HTTPS URL.",
		}))
	}
}

// checkLabel: analytics labels have up to 50 characters of [a-zA-Z0-9-_.~%]
// (https://firebase.google.com/docs/cloud-messaging/understand-delivery).
func (d *decoder) checkLabel(t text) {
	if len(t.raw) > maxLabel || !allBytes(t.String(), isTopicByte) {
		d.refuse(unacceptable(violation{Field: "fcm_options.analytics_label", Description: "Invalid analytics label."}))
	}
}

// checkWebpushHeader knows the headers of RFC 8030 §5.2 to §5.4.
func (d *decoder) checkWebpushHeader(key, value text) {
	const where = "message.webpush.headers."
	switch v := value.String(); strings.ToLower(key.String()) {
	case "ttl":
		if _, err := strconv.ParseUint(v, 10, 63); err != nil {
			d.refuse(unacceptable(violation{Field: where + "TTL", Description: "TTL must be a non-negative integer."}))
		}
	case "urgency":
		if v != "very-low" && v != "low" && v != "normal" && v != "high" {
			d.refuse(unacceptable(violation{
				Field: where + "Urgency", Description: "Urgency must be one of very-low, low, normal, high.",
			}))
		}
	case "topic":
		if v == "" || len(v) > maxWebpushTopic || !allBytes(v, isBase64Byte) {
			d.refuse(unacceptable(violation{
				Field: where + "Topic", Description: "Topic must have up to 32 characters of the URL-safe base64 alphabet.",
			}))
		}
	}
}

// checkApnsHeader knows what Apple says of apns-priority, apns-expiration and apns-collapse-id
// (https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns).
func (d *decoder) checkApnsHeader(key, value text) {
	const where = "message.apns.headers."
	switch v := value.String(); strings.ToLower(key.String()) {
	case "apns-priority":
		if v != "10" && v != "5" && v != "1" {
			d.refuse(unacceptable(violation{Field: where + "apns-priority", Description: "Invalid APNs priority."}))
		}
	case "apns-expiration":
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			d.refuse(unacceptable(violation{Field: where + "apns-expiration", Description: "Invalid APNs expiration."}))
		}
	case "apns-collapse-id":
		if len(v) > maxCollapseID {
			d.refuse(unacceptable(violation{Field: where + "apns-collapse-id", Description: "APNs collapse id is too long."}))
		}
	}
}

// checkApnsMember: ApnsConfig.payload includes "both aps dictionary and custom payload".
func (d *decoder) checkApnsMember(key text, firstOfValue byte) {
	if string(key.raw) == "aps" && firstOfValue != '{' {
		d.refuse(unacceptable(violation{Field: "message.apns.payload.aps", Description: "The aps dictionary must be an object."}))
	}
}

// finish makes the checks that need the whole request.
func (d *decoder) finish() {
	switch d.req.target {
	case targetToken, targetFID:
	case targetTopic:
		// Topic names: https://firebase.google.com/docs/cloud-messaging/topic-messaging
		if !allBytes(d.req.address, isTopicByte) {
			d.refuse(unacceptable(violation{Field: "message", Description: "Topic name contains invalid characters."}))
		}
	case targetCondition:
		if d.req.address != "" && !validCondition(d.req.address) {
			d.refuse(badCondition())
		}
	case targetNone:
	}
	if d.req.address == "" {
		d.refusal = unacceptable(violation{Field: "message", Description: "Recipient of the message is not set."})
	}
	complete := d.seen[slotLightColor] && d.seen[slotLightOn] && d.seen[slotLightOff]
	if d.seen[slotLightSettings] && !complete {
		d.refuse(unacceptable(violation{
			Field:       "message.android.notification.light_settings",
			Description: "Light settings need color, light_on_duration and light_off_duration.",
		}))
	}
	limit := maxPayload
	if d.req.target == targetTopic || d.req.target == targetCondition {
		limit = maxTopicPayload
	}
	if max(d.androidSize(), d.apnsSize(), d.webpushSize()) > limit {
		d.refuse(tooLarge(limit))
	}
}

// androidSize is what an Android device gets: its own data and notification texts in place of the common ones.
func (d *decoder) androidSize() int {
	n := d.sizes[slotAndroidOther] + d.override(slotAndroidData, slotData)
	n += d.override(slotAndroidTitle, slotTitle) + d.override(slotAndroidBody, slotBody)
	return n + d.override(slotAndroidImage, slotImage)
}

// apnsSize is what an Apple device gets: the payload with the data as further members, or the common notification.
func (d *decoder) apnsSize() int {
	if d.seen[slotApnsPayload] {
		return d.sizes[slotApnsPayload] + d.sizes[slotData]
	}
	return d.sizes[slotTitle] + d.sizes[slotBody] + d.sizes[slotImage] + d.sizes[slotData]
}

// webpushSize is what a browser gets.
func (d *decoder) webpushSize() int {
	n := d.override(slotWebpushData, slotData)
	if d.seen[slotWebpushNotification] {
		return n + d.sizes[slotWebpushNotification]
	}
	return n + d.sizes[slotTitle] + d.sizes[slotBody] + d.sizes[slotImage]
}

// override returns the size of the platform's field if it was given, else that of the common one.
func (d *decoder) override(platform, common slot) int {
	if d.seen[platform] {
		return d.sizes[platform]
	}
	return d.sizes[common]
}

func isColor(s string) bool { return len(s) == 7 && s[0] == '#' && allBytes(s[1:], isHex) }

func isBase64Byte(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_'
}

// isTopicByte: topic names and analytics labels share their alphabet.
func isTopicByte(c byte) bool { return isBase64Byte(c) || c == '.' || c == '~' || c == '%' }

func allBytes(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

// isPlain reports whether a string's text can be replaced by another plain one without changing anything else in the
// JSON around it: printable ASCII without quotes and backslashes.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return len(b) > 0
}
