package message

// About returns what a field means, in a sentence; "" for a field that is none of
// a sender's.
func (f *Field) About() string { return f.about }

// AllowedText returns the form of a text as a regular expression, "" where any
// text will do.
func (f *Field) AllowedText() string {
	switch f.Kind {
	case Duration:
		return `^[0-9]+(\.[0-9]{1,9})?s$`
	case String:
		return map[string]string{"color": colorForm.String(), "analytics_label": labelForm.String()}[f.Name]
	case Bool, Int32, Float, Timestamp, Enum, Object, Map, Struct:
	}
	return ""
}

// withAbouts hands every field its description: that of its type and name, or else of
// its name, which means the same wherever it is.
func withAbouts(t *Type) *Type {
	texts := abouts()
	var walk func(t *Type)
	walk = func(t *Type) {
		for _, f := range t.Fields {
			if f.about = texts[t.Short()+"."+f.Name]; f.about == "" {
				f.about = texts[f.Name]
			}
			if f.Of != nil {
				walk(f.Of)
			}
		}
	}
	walk(t)
	return t
}

func abouts() map[string]string {
	return map[string]string{ //nolint:gosec // texts about tokens, no tokens
		"data":         "texts for the app, by name; FCM keeps some names for itself",
		"title":        "the title that is shown",
		"body":         "the text that is shown",
		"image":        "URL of an image that the device loads and shows",
		"fcm_options":  "what FCM does with the message beside delivering it",
		"priority":     "whether the device is woken: HIGH, or NORMAL, which may wait; without it, that of the notification's lane",
		"notification": "what the device shows by itself",
		"link":         "https URL that a click opens",
		"color":        "colour of the icon, #rrggbb",

		"Message.notification": "what every platform shows, unless it has its own",
		"Message.android":      "what Android devices get beside it or instead",
		"Message.webpush":      "what browsers get beside it or instead",
		"Message.apns":         "what Apple devices get beside it or instead",

		"analytics_label": "label under which FCM counts the message in its reports",

		"collapse_key":             "messages with the same key replace each other while the device is away",
		"restricted_package_name":  "package of the app that must have the token",
		"direct_boot_ok":           "whether it may reach the app before the device is unlocked for the first time after a restart",
		"bandwidth_constrained_ok": "whether it may be sent over a satellite network of little bandwidth",
		"restricted_satellite_ok":  "whether it may be sent over a satellite network that is kept for a few apps",
		"ttl":                      "how long FCM keeps it for a device that is away; without it, what is left of the notification's time",
		"AndroidConfig.data":       "instead of the message's data on Android",

		"icon":                      "name of the icon among the app's resources",
		"sound":                     "name of the sound among the app's resources, or default",
		"tag":                       "a notification with the same tag takes the place of the one that is shown; without it, Belfry sets one",
		"click_action":              "action of the intent that a click starts",
		"channel_id":                "the app's channel, which Android 8 and later show it in",
		"ticker":                    "text for accessibility services",
		"body_loc_key":              "name of a text among the app's resources, to show as the body in the user's language",
		"title_loc_key":             "name of a text among the app's resources, to show as the title in the user's language",
		"body_loc_args":             "what stands for the placeholders of body_loc_key",
		"title_loc_args":            "what stands for the placeholders of title_loc_key",
		"sticky":                    "whether it stays when it is clicked",
		"local_only":                "whether it is for this device alone, and not for a watch beside it",
		"default_sound":             "whether it makes Android's default sound",
		"default_vibrate_timings":   "whether it vibrates as Android does by default; vibrate_timings must be left out then",
		"default_light_settings":    "whether it lights the LED as Android does by default; light_settings must be left out then",
		"bypass_proxy_notification": "whether it is shown although FCM would let another app show it",
		"event_time":                "when what it tells of happened, by which notifications are sorted",
		"notification_count":        "how many unread items the launcher shows",
		"vibrate_timings":           "for how long to vibrate and to pause, in turn, beginning with a pause",
		"notification_priority":     "how much it interrupts on Android 7 and earlier",
		"visibility":                "what of it is shown on a locked screen",
		"proxy":                     "whether another app may show it instead",
		"light_settings":            "how the LED blinks",

		"LightSettings.color": "colour of the LED",
		"light_on_duration":   "how long it is on each time",
		"light_off_duration":  "how long it is off in between",
		"red":                 "share of red, 0 to 1",
		"green":               "share of green, 0 to 1",
		"blue":                "share of blue, 0 to 1",
		"alpha":               "opacity, 0 to 1",

		"WebpushConfig.headers":      "headers of the web push request (RFC 8030), such as TTL, Urgency and Topic",
		"WebpushConfig.data":         "instead of the message's data in browsers",
		"WebpushConfig.notification": "options of the browser's showNotification(), beside title and body",

		"ApnsConfig.headers":   "headers of the request to APNs, such as apns-priority and apns-collapse-id",
		"payload":              "the payload that APNs gets, with its object aps, and the app's own members beside that",
		"live_activity_token":  "token of a Live Activity that is to be started, updated or ended",
		"ApnsFcmOptions.image": "URL of an image that the app's notification service extension loads",
	}
}

// Short is the type's name without its package.
func (t *Type) Short() string {
	for i := len(t.Name) - 1; i >= 0; i-- {
		if t.Name[i] == '.' {
			return t.Name[i+1:]
		}
	}
	return t.Name
}
