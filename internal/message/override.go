package message

import (
	"encoding/json"
	"maps"
	"strconv"
)

// Override is what one recipient's message has in place of the notification's. What is
// "" or nil leaves the message as it is.
type Override struct {
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
	Image string `json:"image,omitempty"` // URL
	// Badge is the number on the app's icon: 0 removes it on Apple's devices, and leaves it
	// to Android.
	Badge *int32 `json:"badge,omitempty"`
	// LiveActivityToken is of a Live Activity on the recipient's device.
	LiveActivityToken string `json:"live_activity_token,omitempty"`
}

// IsZero reports whether o changes nothing.
func (o Override) IsZero() bool { return o == Override{} }

// Equal reports whether o and other change the same.
func (o Override) Equal(other Override) bool {
	if (o.Badge == nil) != (other.Badge == nil) || o.Badge != nil && *o.Badge != *other.Badge {
		return false
	}
	o.Badge, other.Badge = nil, nil
	return o == other
}

// Apply returns m with what o has; m is left as it is.
//
// Title, body and image go into the common notification, and into those places of a
// platform that would hide it: android.notification, webpush.notification and Apple's
// alert, if they have such a text of their own, as a text or as the key of a translation.
// A badge is aps.badge, and Android's notification_count where something is shown.
func (o Override) Apply(m map[string]any) map[string]any {
	top := maps.Clone(m)
	if top == nil {
		top = map[string]any{}
	}
	if o.Title != "" || o.Body != "" || o.Image != "" {
		o.texts(owned(top, "notification"), "title", "body", "image")
		for platform, names := range map[string]places{"android": androidTexts(), "webpush": webTexts()} {
			if child(child(top, platform), "notification") != nil {
				o.hidden(ownedAt(top, platform, "notification"), names)
			}
		}
		o.apple(top)
	}
	if o.Badge != nil {
		badge := json.Number(strconv.FormatInt(int64(*o.Badge), 10))
		ownedAt(top, "apns", "payload", "aps")["badge"] = badge
		if *o.Badge > 0 && (top["notification"] != nil || child(top, "android")["notification"] != nil) {
			ownedAt(top, "android", "notification")["notification_count"] = badge
		}
	}
	if o.LiveActivityToken != "" {
		owned(top, "apns")["live_activity_token"] = o.LiveActivityToken
	}
	return top
}

// texts sets what o has under the given names; "" for a name that there is not.
func (o Override) texts(to map[string]any, title, body, image string) {
	for name, text := range map[string]string{title: o.Title, body: o.Body, image: o.Image} {
		if name != "" && text != "" {
			to[name] = text
		}
	}
}

// places are the names of one platform's texts, each with those that win over it.
type places struct{ title, body, image []string }

func androidTexts() places {
	return places{
		title: []string{"title", "title_loc_key", "title_loc_args"}, body: []string{"body", "body_loc_key", "body_loc_args"},
		image: []string{"image"},
	}
}

func webTexts() places {
	return places{title: []string{"title"}, body: []string{"body"}, image: []string{"image"}}
}

func appleTexts() places {
	return places{title: []string{"title", "title-loc-key", "title-loc-args"}, body: []string{"body", "loc-key", "loc-args"}}
}

// hidden replaces those texts of a platform that would hide o's.
func (o Override) hidden(n map[string]any, p places) {
	for _, c := range []struct {
		text  string
		names []string
	}{{o.Title, p.title}, {o.Body, p.body}, {o.Image, p.image}} {
		if c.text == "" {
			continue
		}
		there := false
		for _, name := range c.names {
			if _, has := n[name]; has {
				there = true
				delete(n, name)
			}
		}
		if there {
			n[c.names[0]] = c.text
		}
	}
}

// apple replaces what aps.alert has of its own, which is an object or the body alone.
func (o Override) apple(top map[string]any) {
	switch alert := child(child(child(top, "apns"), "payload"), "aps")["alert"].(type) {
	case string:
		own := map[string]any{"body": alert}
		o.texts(own, "title", "body", "")
		aps := ownedAt(top, "apns", "payload", "aps")
		if o.Title == "" {
			aps["alert"] = own["body"]
		} else {
			aps["alert"] = own
		}
	case map[string]any:
		n := maps.Clone(alert)
		o.hidden(n, appleTexts())
		ownedAt(top, "apns", "payload", "aps")["alert"] = n
	}
	if options := child(child(top, "apns"), "fcm_options"); o.Image != "" && options["image"] != nil {
		ownedAt(top, "apns", "fcm_options")["image"] = o.Image
	}
}
