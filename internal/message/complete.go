package message

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// DataID is the data key that carries a notification's id to the app.
const DataID = "belfry_id"

// Delivery is what a notification adds to its message when it goes out.
type Delivery struct {
	ID         string            // of the notification
	CollapseID string            // "" for none: the id is the tag then
	Data       map[string]string // the recipient's own, on top of the message's
	Override   Override          // the recipient's own, in place of the message's
	High       bool              // the notification's priority is high
	Deadline   time.Time         // after it nothing is to arrive; zero: the platforms' own defaults
}

// Timed says which values of a completed message count down to its deadline.
type Timed uint8

// The values, in the order in which JSON with sorted names has them.
const (
	TimedAndroid Timed = 1 << iota // android.ttl: seconds left
	TimedAPNs                      // apns.headers, apns-expiration: the deadline
	TimedWeb                       // webpush.headers, TTL: seconds left
)

// Complete returns a checked message as it goes out at the time now, and which
// of its values count down; m is left as it is. What the caller has set is kept,
// always.
//
// One stable id stands in every place where a platform lets a later copy replace
// an earlier one, so that a repeated delivery does not ring twice:
// android.notification.tag, apns-collapse-id, the web notification's tag, and
// belfry_id in data. FCM's collapse_key is left alone: a device stores only four
// of them (https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types).
// A data-only message gets no android or web notification object, which would
// turn it into a displayed one.
//
// The recipient's own data, and belfry_id, go wherever a platform reads data:
// android.data and webpush.data replace the common data.
//
// What is left of the deadline is android.ttl, apns-expiration and web push's
// TTL. A high priority is android.priority high, apns-priority 10 and Urgency
// high. What an iPhone would not show gets apns-priority 5, whatever the
// priority: FCM and Apple allow no other.
func Complete(m map[string]any, d Delivery, now time.Time) (map[string]any, Timed) {
	if !d.Override.IsZero() {
		m = d.Override.Apply(m)
	}
	c := completion{Delivery: d, now: now, tag: d.ID, top: make(map[string]any, len(m)+4)}
	maps.Copy(c.top, m)
	if d.CollapseID != "" {
		c.tag = d.CollapseID
	}
	_, c.shown = m["notification"].(map[string]any)
	c.data(owned(c.top, "data"))
	c.android()
	c.apns(silentOnApple(m))
	c.web()
	return c.top, c.timed
}

// completion is one message being completed. The objects that it changes are
// copies of its own.
type completion struct {
	Delivery

	now   time.Time
	tag   string
	top   map[string]any
	shown bool // has a common notification
	timed Timed
}

func (c *completion) data(data map[string]any) {
	setDefault(data, DataID, c.ID)
	for k, v := range c.Data {
		data[k] = v
	}
}

func (c *completion) android() {
	android := cloned(c.top, "android")
	if len(child(android, "data")) > 0 {
		c.data(owned(android, "data"))
	}
	if c.shown || android["notification"] != nil {
		setDefault(owned(android, "notification"), "tag", c.tag)
	}
	if c.High {
		setDefault(android, "priority", "high")
	}
	if _, has := android["ttl"]; !has && !c.Deadline.IsZero() {
		android["ttl"] = strconv.FormatInt(SecondsLeft(c.now, c.Deadline), 10) + "s"
		c.timed |= TimedAndroid
	}
	put(c.top, "android", android)
}

func (c *completion) apns(silent bool) {
	headers := ownedAt(c.top, "apns", "headers")
	setHeader(headers, HeaderCollapseID, c.tag)
	switch {
	case silent:
		setHeader(headers, HeaderPriority, "5")
	case c.High:
		setHeader(headers, HeaderPriority, "10")
	}
	if !c.Deadline.IsZero() && setHeader(headers, HeaderExpiration, strconv.FormatInt(Expiration(c.now, c.Deadline), 10)) {
		c.timed |= TimedAPNs
	}
}

func (c *completion) web() {
	web := cloned(c.top, "webpush")
	if len(child(web, "data")) > 0 {
		c.data(owned(web, "data"))
	}
	if c.shown || web["notification"] != nil {
		setDefault(owned(web, "notification"), "tag", c.tag)
	}
	if c.High || !c.Deadline.IsZero() {
		headers := owned(web, "headers")
		if c.High {
			setHeader(headers, HeaderUrgency, "high")
		}
		if !c.Deadline.IsZero() && setHeader(headers, HeaderTTL, strconv.FormatInt(SecondsLeft(c.now, c.Deadline), 10)) {
			c.timed |= TimedWeb
		}
	}
	put(c.top, "webpush", web)
}

// SecondsLeft returns what is left of a deadline at the time now, in seconds:
// rounded up, so that it is never 0, which means "now or never", and at most
// MaxTTL. Whoever asks has seen that the deadline is not past.
func SecondsLeft(now, deadline time.Time) int64 {
	left := deadline.Sub(now)
	return min(max(int64((left+time.Second-1)/time.Second), 1), MaxTTL)
}

// Expiration returns a deadline as Apple takes it, in seconds since 1970:
// rounded up, and at most MaxTTL from now.
func Expiration(now, deadline time.Time) int64 {
	at := deadline.Unix()
	if deadline.Nanosecond() > 0 {
		at++
	}
	return min(at, now.Unix()+MaxTTL)
}

// cloned returns a copy of the object under a name, empty if there is none.
func cloned(m map[string]any, name string) map[string]any {
	c := maps.Clone(child(m, name))
	if c == nil {
		c = map[string]any{}
	}
	return c
}

// owned puts a copy of the object under a name in its place, and returns it.
func owned(m map[string]any, name string) map[string]any {
	c := cloned(m, name)
	m[name] = c
	return c
}

// ownedAt does what owned does with every object on a path, and returns the last.
func ownedAt(m map[string]any, path ...string) map[string]any {
	for _, name := range path {
		m = owned(m, name)
	}
	return m
}

// put sets an object unless it is empty.
func put(m map[string]any, name string, object map[string]any) {
	if len(object) > 0 {
		m[name] = object
	}
}

func setDefault(m map[string]any, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// setHeader sets a header that is not there, in whatever case, and reports
// whether it did.
func setHeader(headers map[string]any, name, value string) bool {
	for k := range headers {
		if strings.EqualFold(k, name) {
			return false
		}
	}
	headers[name] = value
	return true
}
