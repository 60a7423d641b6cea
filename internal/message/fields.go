package message

import "slices"

// packageName is that of FCM's own types.
const packageName = "google.firebase.fcm.v1."

// maxDuration is the range of google.protobuf.Duration in seconds, 10,000 years.
const maxDuration = 315_576_000_000

//nolint:gochecknoglobals // the description of FCM's Message; read-only
var described = withAbouts(&Type{
	Name: packageName + "Message",
	Fields: []*Field{
		{Name: "name", Camel: "name", OutputOnly: true},
		target("token"), target("fid"), target("topic"), target("condition"),
		mapOf("data", checkData),
		object("notification", &Type{Name: packageName + "Notification", Fields: append(texts("title", "body"), image())}),
		object("android", android()),
		object("webpush", webpush()),
		object("apns", apns()),
		options("FcmOptions"),
	},
	rule: checkWhole,
})

func image() *Field {
	return checked("image", checkURL("http", "https"), "https://example.com/i.png", "http://example.com:8080/a/b?c=d#e")
}

// options are a platform's fcm_options, which all have an analytics label.
func options(typ string, more ...*Field) *Field {
	label := checked("analytics_label", checkLabel, "campaign-7", "a.b_c~d%25")
	return object("fcm_options", &Type{Name: packageName + typ, Fields: append(more, label)})
}

func android() *Type {
	priority := enum("priority", "AndroidConfig.AndroidMessagePriority", "NORMAL", "HIGH")
	priority.lower = true // the reference spells them both ways
	return &Type{
		Name: packageName + "AndroidConfig",
		Fields: slices.Concat(
			texts("collapse_key", "restricted_package_name"),
			booleans("direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok"),
			[]*Field{
				priority, duration("ttl", MaxTTL), mapOf("data", checkData),
				object("notification", androidNotification()),
				options("AndroidFcmOptions"),
			},
		),
	}
}

func androidNotification() *Type {
	return &Type{
		Name: packageName + "AndroidNotification",
		Fields: slices.Concat(
			texts("title", "body", "icon", "sound", "tag", "click_action", "channel_id", "ticker", "body_loc_key", "title_loc_key"),
			// bypass_proxy_notification is in the reference, but not in the discovery document.
			booleans("sticky", "local_only", "default_sound", "default_vibrate_timings", "default_light_settings", "bypass_proxy_notification"),
			[]*Field{
				image(),
				checked("color", checkColor, "#a1B2c3"),
				list("body_loc_args", String), list("title_loc_args", String),
				field("event_time", Timestamp),
				field("notification_count", Int32),
				vibrateTimings(),
				enum("notification_priority", "AndroidNotification.NotificationPriority",
					"PRIORITY_UNSPECIFIED", "PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"),
				enum("visibility", "AndroidNotification.Visibility", "VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"),
				enum("proxy", "AndroidNotification.Proxy", "PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"),
				object("light_settings", lightSettings()),
			},
		),
		rule: checkAndroidNotification,
	}
}

func vibrateTimings() *Field {
	f := list("vibrate_timings", Duration)
	f.upTo = maxDuration
	return f
}

func lightSettings() *Type {
	return &Type{
		Name: packageName + "LightSettings",
		Fields: []*Field{
			object("color", &Type{Name: "google.type.Color", Fields: fieldsOf(Float, []string{"red", "green", "blue", "alpha"})}),
			duration("light_on_duration", maxDuration), duration("light_off_duration", maxDuration),
		},
		rule: checkLightSettings,
	}
}

func webpush() *Type {
	link := checked("link", checkURL("https"), "https://example.com/offers?id=7")
	return &Type{
		Name: packageName + "WebpushConfig",
		Fields: []*Field{
			mapOf("headers", headers(webpushHeaders())), mapOf("data", checkData),
			structOf("notification", checkWebNotification), options("WebpushFcmOptions", link),
		},
	}
}

func apns() *Type {
	return &Type{
		Name: packageName + "ApnsConfig",
		Fields: append(texts("live_activity_token"),
			mapOf("headers", headers(apnsHeaders())),
			structOf("payload", checkPayload), options("ApnsFcmOptions", image())),
		rule: checkLiveActivity,
	}
}
