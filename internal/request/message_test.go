package request

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/message"
)

func TestDecodeMessage(t *testing.T) {
	t.Parallel()
	pad := func(n int) string { return strings.Repeat("x", n) }
	android := func(s string) string { return `{"android":{` + s + `}}` }
	shown := func(s string) string { return android(`"notification":{` + s + `}`) }
	cases := []faultCase{
		{"a notification", `{"notification":{"title":"t","body":"b","image":"https://example.com/i"}}`, nil},
		{"data only", `{"data":{"k":"v"}}`, nil},
		{
			"everything of webpush",
			`{"webpush":{"headers":{"TTL":"1"},"data":{"a":"b"},"notification":{"anything":[1]},"fcm_options":{"link":"https://example.com",` +
				`"analytics_label":"a"}}}`,
			nil,
		},
		{
			"everything of apns",
			`{"apns":{"headers":{"apns-priority":"5"},"payload":{"aps":{"badge":1}},"fcm_options":{"analytics_label":"a",` +
				`"image":"https://example.com/i"}}}`,
			nil,
		},
		{
			"everything of android",
			android(`"collapse_key":"c","priority":"HIGH","ttl":"3.5s","restricted_package_name":"p","data":{"k":"v"},"direct_boot_ok":true,` +
				`"bandwidth_constrained_ok":true,"restricted_satellite_ok":true,"fcm_options":{"analytics_label":"a"}`),
			nil,
		},
		{
			"everything of its notification",
			shown(`"title":"t","body":"b","icon":"i","color":"#00ff7F","sound":"s","tag":"t","click_action":"c",
				"body_loc_key":"k","body_loc_args":["a"],"title_loc_key":"k","title_loc_args":[],"channel_id":"c","ticker":"t",
				"sticky":true,"event_time":"2026-11-21T09:30:00Z","local_only":false,"notification_priority":"PRIORITY_MAX",
				"default_sound":true,"default_vibrate_timings":true,"default_light_settings":true,
				"vibrate_timings":["1s","0.000000001s"],"visibility":"SECRET","notification_count":2147483647,
				"light_settings":{"color":{"red":1,"green":0,"blue":0.5,"alpha":1e-1},"light_on_duration":"1s","light_off_duration":"1s"},
				"image":"https://example.com/i","bypass_proxy_notification":true,"proxy":"DENY"`),
			nil,
		},

		{"not JSON", `{"data":`, []string{"/message/data syntax"}},
		{"nothing", ``, []string{"/message syntax"}},
		{"two values", `{"data":{}} {}`, []string{"/message syntax"}},
		{"not an object", `["data"]`, []string{"/message type"}},
		{"null", `null`, []string{"/message type"}},
		{"an empty object", `{}`, []string{"/message missing"}},
		{"null inside", `{"data":null}`, []string{"/message missing"}},
		{
			"a target", `{"token":"a","fid":"b","topic":"c","condition":"d","name":"e"}`,
			[]string{
				"/message/condition conflict", "/message/fid conflict", "/message/name reserved", "/message/token conflict", "/message/topic conflict",
			},
		},
		{"an unknown field", `{"notifcation":{}}`, []string{"/message/notifcation unknown"}},
		{"escapes in a pointer", `{"a/b~c":1}`, []string{"/message/a~1b~0c unknown"}},
		{
			"reserved data keys", `{"data":{"from":"a","message_type":"b","google.c":"c","gcm.n":"d","":"e","mine":"f"}}`,
			[]string{
				"/message/data/ value", "/message/data/from reserved", "/message/data/gcm.n reserved", "/message/data/google.c reserved",
				"/message/data/message_type reserved",
			},
		},
		{
			"data that is not text", `{"data":{"n":1,"o":{},"z":null}}`,
			[]string{"/message/data/n type", "/message/data/o type", "/message/data/z type"},
		},
		{"reserved keys of android", android(`"data":{"from":"a"}`), []string{"/message/android/data/from reserved"}},
		{
			"wrong types", `{"notification":{"title":1},"android":{"direct_boot_ok":"yes","priority":1},"apns":{"payload":[]},"webpush":7}`,
			[]string{
				"/message/android/direct_boot_ok type", "/message/android/priority type", "/message/apns/payload type",
				"/message/notification/title type", "/message/webpush type",
			},
		},
		{"a priority", android(`"priority":"urgent"`), []string{"/message/android/priority value"}},
		{"the longest ttl", android(`"ttl":"2419200s"`), nil},
		{"a ttl too long", android(`"ttl":"2419201s"`), []string{"/message/android/ttl value"}},
		{"a ttl in minutes", android(`"ttl":"5m"`), []string{"/message/android/ttl value"}},
		{"a negative ttl", android(`"ttl":"-1s"`), []string{"/message/android/ttl value"}},
		{"a ttl as number", android(`"ttl":60`), []string{"/message/android/ttl type"}},
		{"a color", shown(`"color":"red"`), []string{"/message/android/notification/color value"}},
		{"a time", shown(`"event_time":"yesterday"`), []string{"/message/android/notification/event_time value"}},
		{"a count", shown(`"notification_count":1.5`), []string{"/message/android/notification/notification_count value"}},
		{"a count as text", shown(`"notification_count":"1"`), []string{"/message/android/notification/notification_count type"}},
		{
			"a shade", shown(`"light_settings":{"color":{"red":2,"blue":"1"}}`),
			[]string{
				"/message/android/notification/light_settings/color/blue type", "/message/android/notification/light_settings/color/red value",
				"/message/android/notification/light_settings/light_on_duration missing",
				"/message/android/notification/light_settings/light_off_duration missing",
			},
		},
		{"an item", shown(`"body_loc_key":"k","body_loc_args":["a",1]`), []string{"/message/android/notification/body_loc_args/1 type"}},
		{"a label", `{"fcm_options":{"analytics_label":"with space"},"data":{}}`, []string{"/message/fcm_options/analytics_label value"}},

		{"the largest payload", `{"data":{"k":"` + pad(message.Limit-50) + `"}}`, nil},
		{"a payload too large", `{"data":{"k":"` + pad(message.Limit-49) + `"}}`, []string{"/message too_large"}},
		{"an Apple payload too large", `{"apns":{"payload":{"k":"` + pad(message.Limit) + `"}}}`, []string{"/message/apns too_large"}},
		{"a message too large", android(`"collapse_key":"` + pad(maxMessageBytes) + `"`), []string{"/message too_large"}},
		{"no more than twenty faults", `{` + manyUnknown(30) + `}`, twentyUnknown()},
	}
	checkFaults(t, cases, func(body []byte) error {
		m, err := DecodeMessage(body, "/message")
		if err == nil && !json.Valid(m) {
			t.Errorf("%s is not JSON", m)
		}
		return err
	})
}

func manyUnknown(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"a%02d":1`, i)
	}
	return strings.Join(fields, ",")
}

func twentyUnknown() []string {
	want := make([]string, maxFaults)
	for i := range want {
		want[i] = fmt.Sprintf("/message/a%02d unknown", i)
	}
	return want
}

func TestMessageIsCompactAndPassedThrough(t *testing.T) {
	t.Parallel()
	in := ` { "notification" : { "title" : "<b>Größe</b> & 🐝  " } ,
		"apns":{"payload":{"n":1.50,"big":12345678901234567890,"null":null}}}`
	const want = `{"apns":{"payload":{"big":12345678901234567890,"n":1.50,"null":null}},"notification":{"title":"<b>Größe</b> & 🐝  "}}`
	m, err := DecodeMessage([]byte(in), "")
	if err != nil || string(m) != want {
		t.Errorf("message is %s, %v\nwant %s", m, err, want)
	}
	again, err := DecodeMessage(m, "")
	if err != nil || string(again) != string(m) {
		t.Errorf("decoding again gives %s, %v", again, err)
	}
}

// A body that names a field twice is refused, wherever that is: encoding/json
// would take the last, or merge both.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	checkFaults(t, []faultCase{
		{"data", `{"data":{"from":"smuggled"},"data":{"k":"v"}}`, []string{"/m/data conflict"}},
		{"a key of data", `{"data":{"k":"1","k":"2"}}`, []string{"/m/data/k conflict"}},
		{"in what is passed through", `{"apns":{"payload":{"aps":[{"a":1,"a":2}]}}}`, []string{"/m/apns/payload/aps/0/a conflict"}},
	}, func(body []byte) error {
		_, err := DecodeMessage(body, "/m")
		return err
	})
}

func TestSuggestion(t *testing.T) {
	t.Parallel()
	_, err := DecodeMessage([]byte(`{"fcmOptions":{}}`), "/message")
	if err == nil || !strings.Contains(err.Error(), `did you mean "fcm_options"?`) {
		t.Errorf("error is %v", err)
	}
}

func TestErrorsDoNotEchoMuch(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10_000)
	for _, body := range []string{
		`{"android":{"priority":"` + long + `"}}`, `{"android":{"notification":{"color":"` + long + `"}}}`,
		`{"android":{"notification":{"notification_count":1` + strings.Repeat("0", 5000) + `}}}`,
	} {
		_, err := DecodeMessage([]byte(body), "")
		if err == nil || len(err.Error()) > 500 {
			t.Errorf("the error of %.40s… is %.80v", body, err)
		}
	}
}
