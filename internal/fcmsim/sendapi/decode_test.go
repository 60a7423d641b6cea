package sendapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// refusalOf returns the error object of a refusal, nil for a valid body.
func refusalOf(t *testing.T, body string) *status {
	t.Helper()
	_, _, refusal := newTemplates(1).read([]byte(body))
	if refusal == nil {
		return nil
	}
	var out struct {
		Error status `json:"error"`
	}
	if err := json.Unmarshal(refusal.Body, &out); err != nil {
		t.Fatal(err)
	}
	if refusal.Status != 400 || out.Error.Code != 400 || out.Error.Status != "INVALID_ARGUMENT" {
		t.Errorf("status %d: %s", refusal.Status, refusal.Body)
	}
	return &out.Error
}

// message returns a body with a token and more fields.
func withFields(fields string) string { return `{"message":{"token":"t",` + fields + `}}` }

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"token":                                  `{"message":{"token":"t"}}`,
		"fid":                                    `{"message":{"fid":"f"}}`,
		"topic":                                  `{"message":{"topic":"a-Z_0.~%"}}`,
		"camel case":                             `{"validateOnly":true,"message":{"token":"t","fcmOptions":{"analyticsLabel":"x"}}}`,
		"null is absent":                         `{"validate_only":null,"message":{"token":"t","topic":null,"data":null,"android":null}}`,
		"white space":                            " {\n\t\"message\" : { \"token\" : \"t\" } }\r\n",
		"escaped name":                           `{"message":{"tok\u0065n":"t"}}`,
		"output only name":                       withFields(`"name":"projects/p/messages/1"`),
		"enum by number":                         withFields(`"android":{"priority":1}`),
		"enum in lower case":                     withFields(`"android":{"priority":"high"}`),
		"ttl at most":                            withFields(`"android":{"ttl":"2419200s"}`),
		"ttl none":                               withFields(`"android":{"ttl":"0s"}`),
		"ttl with nanos":                         withFields(`"android":{"ttl":"3.000000001s"}`),
		"count as text":                          withFields(`"android":{"notification":{"notification_count":"7"}}`),
		"any struct":                             withFields(`"apns":{"payload":{"aps":{},"x":[1,-2.5e3,true,null,{"y":"z"}]}}`),
		"collapse_key in data, which FCM allows": withFields(`"data":{"collapse_key":"x"}`),
		"payload at the limit":                   withFields(`"data":{"k":"` + strings.Repeat("x", 4095) + `"}`),
		"topic payload at the limit":             `{"message":{"topic":"t","data":{"k":"` + strings.Repeat("x", 2047) + `"}}}`,
		"android data in place of large data": withFields(`"data":{"k":"` + strings.Repeat("x", 3000) + `"},"android":{"data":{"k":"` +
			strings.Repeat("x", 3000) + `"}}`),
		"a long token is no payload": `{"message":{"token":"` + strings.Repeat("t", 5000) + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := refusalOf(t, body); got != nil {
				t.Errorf("refused: %+v", got)
			}
		})
	}
}

// TestDecodeRefusesUnparsable: the request does not fit the schema, so there is a BadRequest and no FcmError.
func TestDecodeRefusesUnparsable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, body, field, message string }{
		{
			"number in data", withFields(`"data":{"a":"b","n":12}`), "message.data[1].value",
			`Invalid value at 'message.data[1].value' (TYPE_STRING), 12`,
		},
		{
			"null in data", withFields(`"data":{"a":null}`), "message.data[0].value", `Invalid value at 'message.data[0].value' (TYPE_STRING), null`,
		},
		{
			"object in data", withFields(`"data":{"a":{"b":1}}`), "message.data[0].value",
			`Invalid JSON payload received. Unknown name "b" at 'message.data[0].value': Cannot find field.`,
		},
		{
			"list for data", withFields(`"data":[]`), "message.data",
			`Invalid value at 'message.data' (map), Cannot bind a list to map for field 'data'.`,
		},
		{
			"unknown at the root", `{"x":{"y":[1]},"message":{"token":"t"}}`, "",
			`Invalid JSON payload received. Unknown name "x": Cannot find field.`,
		},
		{
			"unknown in message", withFields(`"to":"x"`), "message",
			`Invalid JSON payload received. Unknown name "to" at 'message': Cannot find field.`,
		},
		{
			"unknown deeper", withFields(`"android":{"notification":{"badge":1}}`), "message.android.notification",
			`Invalid JSON payload received. Unknown name "badge" at 'message.android.notification': Cannot find field.`,
		},
		{"number for text", `{"message":{"token":5}}`, "message.token", `Invalid value at 'message.token' (TYPE_STRING), 5`},
		{
			"list for text", `{"message":{"token":["t"]}}`, "message",
			`Invalid JSON payload received. Unknown name "token" at 'message': Proto field is not repeating, cannot start list.`,
		},
		{
			"text for message", withFields(`"android":"x"`), "message.android",
			`Invalid value at 'message.android' (type.googleapis.com/google.firebase.fcm.v1.AndroidConfig), "x"`,
		},
		{
			"text for bool", `{"validate_only":"yes","message":{"token":"t"}}`, "validate_only",
			`Invalid value at 'validate_only' (TYPE_BOOL), "yes"`,
		},
		{
			"unknown enum", withFields(`"android":{"priority":"urgent"}`), "message.android.priority",
			`Invalid value at 'message.android.priority' (type.googleapis.com/google.firebase.fcm.v1.AndroidConfig.AndroidMessagePriority), ` +
				`"urgent"`,
		},
		{
			"ttl as number", withFields(`"android":{"ttl":60}`), "message.android.ttl",
			`Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), Field 'ttl', Invalid data type for duration,` +
				` value is 60`,
		},
		{
			"ttl without unit", withFields(`"android":{"ttl":"60"}`), "message.android.ttl",
			`Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), Field 'ttl', Illegal duration format; ` +
				`duration must end with 's'`,
		},
		{
			"ttl in words", withFields(`"android":{"ttl":"tens"}`), "message.android.ttl",
			`Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), Field 'ttl', Invalid duration format, ` +
				`failed to parse seconds`,
		},
		{
			"fractional count", withFields(`"android":{"notification":{"notification_count":1.5}}`),
			"message.android.notification.notification_count",
			`Invalid value at 'message.android.notification.notification_count' (TYPE_INT32), 1.5`,
		},
		{
			"no list of arguments", withFields(`"android":{"notification":{"body_loc_args":"x"}}`), "message.android.notification.body_loc_args",
			`Invalid value at 'message.android.notification.body_loc_args' (TYPE_STRING), "x"`,
		},
		{
			"number among arguments", withFields(`"android":{"notification":{"body_loc_args":["x",1]}}`),
			"message.android.notification.body_loc_args[1]", `Invalid value at 'message.android.notification.body_loc_args[1]' (TYPE_STRING), 1`,
		},
		{
			"list for payload", withFields(`"apns":{"payload":[]}`), "message.apns",
			`Invalid JSON payload received. Unknown name "payload" at 'message.apns': Proto field is not repeating, cannot start list.`,
		},
		{
			"header number", withFields(`"webpush":{"headers":{"TTL":15}}`), "message.webpush.headers[0].value",
			`Invalid value at 'message.webpush.headers[0].value' (TYPE_STRING), 15`,
		},
		{
			"two targets", `{"message":{"token":"t","topic":"x"}}`, "message",
			`Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set 'topic'`,
		},
		{"root is a list", `[]`, "", `Invalid JSON payload received. Unknown name "": Root element must be a message.`},
		{"not JSON", `message`, "", "Invalid JSON payload received. Unexpected token.\nmessage\n^"},
		{"cut off", `{"message":{"token":"t"`, "", "Invalid JSON payload received. Expected , or } after key:value pair.\n\n^"},
		{
			"more than one value", `{"message":{"token":"t"}} {}`, "",
			"Invalid JSON payload received. Parsing terminated before end of input.\n{}\n^",
		},
		{
			"line break in text", "{\"message\":{\"token\":\"a\nb\"}}", "",
			"Invalid JSON payload received. Invalid character in string.\n\nb\"}}\n^",
		},
		{"no UTF-8", "{\"message\":{\"token\":\"\xff\"}}", "", "Invalid JSON payload received. Invalid UTF-8 in string.\n\ufffd\"}}\n^"},
		{
			"too deep", withFields(`"apns":{"payload":{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`), "",
			"Invalid JSON payload received. Message too deep. Max recursion depth reached.\n" + strings.Repeat("[", 20) + "\n^",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := &status{Code: 400, Message: tc.message, Status: "INVALID_ARGUMENT", Details: []any{map[string]any{
				"@type":           "type.googleapis.com/google.rpc.BadRequest",
				"fieldViolations": []any{violationJSON(tc.field, tc.message)},
			}}}
			if diff := cmp.Diff(want, refusalOf(t, tc.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func violationJSON(field, description string) map[string]any {
	v := map[string]any{"description": description}
	if field != "" {
		v["field"] = field
	}
	return v
}

func TestDecodeReportsAllViolations(t *testing.T) {
	t.Parallel()
	got := refusalOf(t, `{"x":1,"message":{"token":"t","data":{"a":1,"b":2}}}`)
	if n := strings.Count(got.Message, "\n"); n != 2 {
		t.Errorf("%d line breaks in %q", n, got.Message)
	}
}

// TestDecodeRefusesUnacceptable: the request fits the schema, but FCM will not have it.
func TestDecodeRefusesUnacceptable(t *testing.T) {
	t.Parallel()
	fcm := map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"}
	bad := func(field, description string) []any {
		return []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": []any{violationJSON(field, description)},
		}, fcm}
	}
	bare := []any{map[string]any{"@type": "type.googleapis.com/google.rpc.BadRequest"}, fcm}
	const noTarget = "Recipient of the message is not set."
	for _, tc := range []struct {
		name, body, message string
		details             []any
	}{
		{"no target", `{"message":{"data":{"a":"b"}}}`, noTarget, bad("message", noTarget)},
		{"empty token", `{"message":{"token":""}}`, noTarget, bad("message", noTarget)},
		{"no message", `{"validate_only":true}`, noTarget, bad("message", noTarget)},
		{"no body", ``, noTarget, bad("message", noTarget)},
		{
			"topic name", `{"message":{"topic":"/topics/x"}}`, "Topic name contains invalid characters.",
			bad("message", "Topic name contains invalid characters."),
		},
		{"condition", `{"message":{"condition":"a"}}`, "Request contains an invalid argument.", nil},
		{"key from", withFields(`"data":{"from":"x"}`), "Invalid data payload key: from", bad("message.data", "Invalid data payload key: from")},
		{
			"key message_type", withFields(`"data":{"message_type":"x"}`), "Invalid data payload key: message_type",
			bad("message.data", "Invalid data payload key: message_type"),
		},
		{
			"key gcm", withFields(`"android":{"data":{"gcm.notification.x":"x"}}`), "Invalid data payload key: gcm.notification.x",
			bad("message.android.data", "Invalid data payload key: gcm.notification.x"),
		},
		{
			"key google, escaped", withFields(`"data":{"\u0067oogle.x":"x"}`), "Invalid data payload key: google.x",
			bad("message.data", "Invalid data payload key: google.x"),
		},
		{
			"ttl too long", withFields(`"android":{"ttl":"2419201s"}`), "TTL must be between 0 and 2419200 seconds.",
			bad("message.android.ttl", "TTL must be between 0 and 2419200 seconds."),
		},
		{
			"ttl negative", withFields(`"android":{"ttl":"-0.5s"}`), "TTL must be between 0 and 2419200 seconds.",
			bad("message.android.ttl", "TTL must be between 0 and 2419200 seconds."),
		},
		{
			"web push ttl", withFields(`"webpush":{"headers":{"ttl":"-1"}}`),
			"Invalid value at 'message.webpush.headers.ttl', must be whole seconds, 0 or more (got \"-1\")",
			bad("message.webpush.headers.ttl", "Invalid value at 'message.webpush.headers.ttl', must be whole seconds, 0 or more (got \"-1\")"),
		},
		{
			"web push link", withFields(`"webpush":{"fcm_options":{"link":"http://example.com"}}`),
			"Invalid value at 'message.webpush.fcm_options.link', must be an absolute https URL (got \"http://example.com\")",
			bad("message.webpush.fcm_options.link",
				"Invalid value at 'message.webpush.fcm_options.link', must be an absolute https URL (got \"http://example.com\")"),
		},
		{
			"colour", withFields(`"android":{"notification":{"color":"red"}}`),
			"Invalid value at 'message.android.notification.color', must be #rrggbb (got \"red\")",
			bad("message.android.notification.color", "Invalid value at 'message.android.notification.color', must be #rrggbb (got \"red\")"),
		},
		{
			"light settings", withFields(`"android":{"notification":{"light_settings":{"color":{"red":1}}}}`),
			"Invalid value at 'message.android.notification.light_settings.light_on_duration', light_settings needs color, light_on_duration " +
				"and light_off_duration",
			bad("message.android.notification.light_settings.light_on_duration",
				"Invalid value at 'message.android.notification.light_settings.light_on_duration', light_settings needs color, light_on_duration "+
					"and light_off_duration"),
		},
		{
			"apns priority", withFields(`"apns":{"headers":{"apns-priority":"high"}}`),
			"Invalid value at 'message.apns.headers.apns-priority', must be one of 10, 5, 1 (got \"high\")",
			bad("message.apns.headers.apns-priority",
				"Invalid value at 'message.apns.headers.apns-priority', must be one of 10, 5, 1 (got \"high\")"),
		},
		{
			"apns collapse id", withFields(`"apns":{"headers":{"apns-collapse-id":"` + strings.Repeat("x", 65) + `"}}`),
			"Invalid value at 'message.apns.headers.apns-collapse-id', must have 1..64 bytes (got 65)",
			bad("message.apns.headers.apns-collapse-id", "Invalid value at 'message.apns.headers.apns-collapse-id', must have 1..64 bytes (got 65)"),
		},
		{
			"aps", withFields(`"apns":{"payload":{"aps":"x"}}`), "Invalid value at 'message.apns.payload.aps', must be an object (got a string)",
			bad("message.apns.payload.aps", "Invalid value at 'message.apns.payload.aps', must be an object (got a string)"),
		},
		{
			"label", withFields(`"fcm_options":{"analytics_label":"a b"}`),
			"Invalid value at 'message.fcm_options.analytics_label', must match ^[a-zA-Z0-9-_.~%]{1,50}$ (got \"a b\")",
			bad("message.fcm_options.analytics_label",
				"Invalid value at 'message.fcm_options.analytics_label', must match ^[a-zA-Z0-9-_.~%]{1,50}$ (got \"a b\")"),
		},
		{
			"too large", withFields(`"data":{"k":"` + strings.Repeat("x", 4096) + `"}`), "Message is too large. The maximum is 4K (4096 bytes).",
			bare,
		},
		{
			"too large for a topic", `{"message":{"topic":"t","data":{"k":"` + strings.Repeat("x", 2048) + `"}}}`,
			"Message is too large. The maximum is 2K (2048 bytes).", bare,
		},
		{
			"too large with the notification",
			withFields(`"notification":{"body":"` + strings.Repeat("x", 2000) + `"},"data":{"k":"` + strings.Repeat("x", 2100) + `"}`),
			"Message is too large. The maximum is 4K (4096 bytes).", bare,
		},
		{
			"too large for Android", withFields(`"android":{"data":{"k":"` + strings.Repeat("x", 6000) + `"}}`),
			"Message is too large. The maximum is 4K (4096 bytes).", bare,
		},
		{
			"too large for Android's arguments",
			withFields(`"android":{"notification":{"body_loc_key":"k","body_loc_args":["` + strings.Repeat("x", 4090) + `"]}}`),
			"Message is too large. The maximum is 4K (4096 bytes).", bare,
		},
		{
			"Android's data too large for a topic", `{"message":{"topic":"t","android":{"data":{"k":"` + strings.Repeat("x", 2048) + `"}}}}`,
			"Message is too large. The maximum is 2K (2048 bytes).", bare,
		},
		{
			"arguments without a key", withFields(`"android":{"notification":{"body_loc_args":["x"]}}`),
			"Invalid value at 'message.android.notification.body_loc_args', needs body_loc_key, the text that they go into",
			bad("message.android.notification.body_loc_args",
				"Invalid value at 'message.android.notification.body_loc_args', needs body_loc_key, the text that they go into"),
		},
		{
			"an urgency", withFields(`"webpush":{"headers":{"urgency":"urgent"}}`),
			"Invalid value at 'message.webpush.headers.urgency', must be one of very-low, low, normal, high (got \"urgent\")",
			bad("message.webpush.headers.urgency",
				"Invalid value at 'message.webpush.headers.urgency', must be one of very-low, low, normal, high (got \"urgent\")"),
		},
		{
			"too large for APNs", withFields(`"apns":{"payload":{"k":"` + strings.Repeat("x", 4090) + `"}}`),
			"Message is too large. The maximum is 4K (4096 bytes).", bare,
		},
		{
			"too large for web push", withFields(`"webpush":{"notification":{"body":"` + strings.Repeat("x", 4090) + `"}}`),
			"Message is too large. The maximum is 4K (4096 bytes).", bare,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := &status{Code: 400, Message: tc.message, Status: "INVALID_ARGUMENT", Details: tc.details}
			if diff := cmp.Diff(want, refusalOf(t, tc.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCodesHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"UNKNOWN": true}
	for c := range codeCount {
		if seen[c.String()] {
			t.Errorf("code %d: %v", c, c)
		}
		seen[c.String()] = true
	}
}
