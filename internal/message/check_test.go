package message_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/message/messagetest"
)

// TestCheck has a case of every rule, and what stands just inside of it.
func TestCheck(t *testing.T) {
	t.Parallel()
	android := func(s string) string { return `{"android":{` + s + `}}` }
	shown := func(s string) string { return android(`"notification":{` + s + `}`) }
	apns := func(s string) string { return `{"apns":{` + s + `}}` }
	aps := func(s string) string { return apns(`"payload":{"aps":{` + s + `}}`) }
	header := func(s string) string { return `{"notification":{},"apns":{"headers":{` + s + `}}}` }
	web := func(s string) string { return `{"webpush":{` + s + `}}` }
	webHeader := func(s string) string { return web(`"headers":{` + s + `}`) }
	deep := func(n int) string {
		return apns(`"payload":{"x":` + strings.Repeat("[", n) + `1` + strings.Repeat("]", n) + `}`)
	}
	for _, c := range []struct {
		name, in string
		want     string // pointer, space, code of each fault; "" for none
	}{
		{"nothing", `{}`, "/m missing"},
		{"nothing but null", `{"data":null,"android":null}`, "/m missing"},
		{
			"null fields", `{"data":{"k":"v"},"android":{"ttl":null,"notification":{"title":null,"body_loc_args":null}},"apns":{"payload":null}}`,
			"",
		},
		{"null in a list", shown(`"body_loc_key":"k","body_loc_args":[null]`), "/m/android/notification/body_loc_args/0 type"},
		{"null in data", `{"data":{"k":null}}`, "/m/data/k type"},
		{"null in what is free", apns(`"payload":{"k":null,"aps":{"alert":null}}`), ""},
		{"FCM's other spelling", `{"fcmOptions":{},"data":{}}`, "/m/fcmOptions unknown"},
		{"bypass_proxy_notification", shown(`"bypass_proxy_notification":true`), ""},

		{"a URL with a bare percent sign", `{"notification":{"image":"https://cdn.example.com/100%_off.png"}}`, ""},
		{"a URL beyond ASCII", `{"notification":{"image":"https://cdn.example.com/größe 1.png?a=b#c"}}`, ""},
		{"no URL set", `{"notification":{"image":""}}`, ""},
		{"a URL of plain HTTP", shown(`"image":"http://example.com/i.png"`), ""},
		{"a relative URL", `{"notification":{"image":"/i.png"}}`, "/m/notification/image value"},
		{"no URL", shown(`"image":"no url"`), "/m/android/notification/image value"},
		{"a URL of another kind", apns(`"fcm_options":{"image":"file:///etc/passwd"}`), "/m/apns/fcm_options/image value"},
		{"a URL without host", `{"notification":{"image":"https:///i.png"}}`, "/m/notification/image value"},
		{"a URL with a space in its host", `{"notification":{"image":"https://exa mple.com"}}`, "/m/notification/image value"},
		{"a URL with a line break", `{"notification":{"image":"https://example.com/\n"}}`, "/m/notification/image value"},
		{"a link without TLS", web(`"fcm_options":{"link":"http://example.com"}`), "/m/webpush/fcm_options/link value"},
		{"a link", web(`"fcm_options":{"link":"https://example.com/50%"}`), ""},

		{"arguments of a title without key", shown(`"title_loc_args":["a"]`), "/m/android/notification/title_loc_args missing"},
		{
			"arguments of a body with an empty key", shown(`"body_loc_key":"","body_loc_args":["a"]`),
			"/m/android/notification/body_loc_args missing",
		},
		{"no arguments", shown(`"body_loc_args":[]`), ""},
		{"arguments of an alert", aps(`"alert":{"loc-args":["a"]}`), "/m/apns/payload/aps/alert/loc-args missing"},
		{"arguments of its title", aps(`"alert":{"title-loc-args":["a"],"loc-key":"k"}`), "/m/apns/payload/aps/alert/title-loc-args missing"},
		{"arguments of its subtitle", aps(`"alert":{"subtitle-loc-args":["a"]}`), "/m/apns/payload/aps/alert/subtitle-loc-args missing"},
		{"arguments with key", aps(`"alert":{"loc-args":["a"],"loc-key":"k"}`), ""},
		{"an alert in text", aps(`"alert":"Hi"`), ""},
		{"an alert of another kind", aps(`"alert":5`), "/m/apns/payload/aps/alert type"},
		{"aps of another kind", apns(`"payload":{"aps":[]}`), "/m/apns/payload/aps type"},
		{"a sound too loud", aps(`"sound":{"critical":1,"volume":1.5}`), "/m/apns/payload/aps/sound/volume value"},
		{"a sound of a number", aps(`"sound":1`), "/m/apns/payload/aps/sound type"},
		{"a volume in text", aps(`"sound":{"volume":"1"}`), "/m/apns/payload/aps/sound/volume type"},
		{
			"lights without all three", shown(`"light_settings":{"light_on_duration":"1s"}`),
			"/m/android/notification/light_settings/color missing, /m/android/notification/light_settings/light_off_duration missing",
		},

		{
			"headers of APNs",
			header(`"apns-priority":"10","apns-expiration":"0","apns-push-type":"alert","apns-collapse-id":"c",` +
				`"apns-id":"123e4567-e89b-12d3-a456-426614174000"`),
			"",
		},
		{"a priority", header(`"apns-priority":"high"`), "/m/apns/headers/apns-priority value"},
		{"an expiration in words", header(`"apns-expiration":"tomorrow"`), "/m/apns/headers/apns-expiration value"},
		{"an expiration in milliseconds", header(`"apns-expiration":"1795000000000"`), "/m/apns/headers/apns-expiration value"},
		{"a negative expiration", header(`"Apns-Expiration":"-1"`), "/m/apns/headers/Apns-Expiration value"},
		{"a push type", header(`"apns-push-type":"silent"`), "/m/apns/headers/apns-push-type value"},
		{"a long collapse id", header(`"apns-collapse-id":"` + strings.Repeat("x", 65) + `"`), "/m/apns/headers/apns-collapse-id value"},
		{"an id that is none", header(`"apns-id":"7"`), "/m/apns/headers/apns-id value"},
		{"an empty topic", header(`"apns-topic":""`), "/m/apns/headers/apns-topic value"},
		{"one header twice", header(`"apns-priority":"5","APNS-Priority":"10"`), "/m/apns/headers/apns-priority conflict"},
		{"a line break in a header", header(`"x-mine":"a\r\nb: c"`), "/m/apns/headers/x-mine value"},
		{"a header beyond ASCII", header(`"x-mine":"größe"`), "/m/apns/headers/x-mine value"},
		{"a header with a space before", webHeader(`"x":" a"`), "/m/webpush/headers/x value"},
		{"a header's name", webHeader(`"a b":"c"`), "/m/webpush/headers/a b value"},
		{"headers of web push", webHeader(`"TTL":"0","Urgency":"very-low","Topic":"abc_-9"`), ""},
		{"an urgency", webHeader(`"Urgency":"urgent"`), "/m/webpush/headers/Urgency value"},
		{"a time to live", webHeader(`"ttl":"5m"`), "/m/webpush/headers/ttl value"},
		{"a topic", webHeader(`"Topic":"` + strings.Repeat("x", 33) + `"`), "/m/webpush/headers/Topic value"},
		{"reserved keys of the web", web(`"data":{"google.x":"y"}`), "/m/webpush/data/google.x reserved"},
		{"a direction", web(`"notification":{"dir":"up"}`), "/m/webpush/notification/dir value"},
		{"a direction of another kind", web(`"notification":{"dir":1}`), "/m/webpush/notification/dir value"},

		{
			"10 for a push that shows nothing", `{"data":{"k":"v"},"apns":{"headers":{"apns-priority":"10"}}}`,
			"/m/apns/headers/apns-priority conflict",
		},
		{
			"10 for a background push", `{"notification":{},"apns":{"headers":{"Apns-Priority":"10","apns-push-type":"background"}}}`,
			"/m/apns/headers/Apns-Priority conflict",
		},
		{
			"10 for content-available alone", apns(`"headers":{"apns-priority":"10"},"payload":{"aps":{"content-available":1}}`),
			"/m/apns/headers/apns-priority conflict",
		},
		{"5 for a push that shows nothing", `{"data":{"k":"v"},"apns":{"headers":{"apns-priority":"5"}}}`, ""},
		{"10 for a call", apns(`"headers":{"apns-priority":"10","apns-push-type":"voip"},"payload":{"aps":{}}`), ""},
		{"10 for a badge", apns(`"headers":{"apns-priority":"10"},"payload":{"aps":{"badge":0}}`), ""},
		{
			"a live activity", apns(`"headers":{"apns-priority":"10"},"live_activity_token":"t","payload":{"aps":{"event":"update","timestamp":1}}`),
			"",
		},
		{"a live activity without event", apns(`"live_activity_token":"t","payload":{"aps":{}}`), "/m/apns/live_activity_token missing"},

		{"a duration at its limit", android(`"ttl":"2419200.000s"`), ""},
		{"a duration a bit above", android(`"ttl":"2419200.000000001s"`), "/m/android/ttl value"},
		{"a duration with ten decimals", android(`"ttl":"1.0000000001s"`), "/m/android/ttl value"},
		{"a duration of minus zero", android(`"ttl":"-0s"`), "/m/android/ttl value"},
		{"a negative duration", shown(`"vibrate_timings":["1s","-1s"]`), "/m/android/notification/vibrate_timings/1 value"},
		{"a time with ten decimals", shown(`"event_time":"2026-11-21T09:30:00.1234567890Z"`), "/m/android/notification/event_time value"},
		{"a time before year 1", shown(`"event_time":"0000-12-31T00:00:00Z"`), "/m/android/notification/event_time value"},
		{"a count too large", shown(`"notification_count":2147483648`), "/m/android/notification/notification_count value"},
		{"a negative count", shown(`"notification_count":-1`), "/m/android/notification/notification_count value"},
		{"an enum in the wrong case", shown(`"visibility":"public"`), "/m/android/notification/visibility value"},

		{"a number that no double holds", apns(`"payload":{"n":1e400}`), "/m/apns/payload/n value"},
		{"as deep as FCM reads", deep(96), ""},
		{"deeper than FCM reads", deep(97), "/m/apns/payload/x" + strings.Repeat("/0", 97) + " too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range message.Check(tree(t, c.in), "m") {
				got = append(got, f.Pointer+" "+f.Code)
				if f.Detail == "" || len(f.Detail) > 400 {
					t.Errorf("detail %q", f.Detail)
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("faults\n got %q\nwant %q", strings.Join(got, ", "), c.want)
			}
		})
	}
}

// TestCheckTakesOutNull: what is not set is not there.
func TestCheckTakesOutNull(t *testing.T) {
	t.Parallel()
	m := tree(t, `{"data":{"k":"v"},"android":{"ttl":null},"webpush":null,"apns":{"payload":{"k":null}}}`)
	if faults := message.Check(m); len(faults) > 0 {
		t.Fatal(faults)
	}
	got, err := message.Encode(m)
	if want := `{"android":{},"apns":{"payload":{"k":null}},"data":{"k":"v"}}`; err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// TestCheckAgainSaysTheSame: the verdict does not depend on how often, and a
// message without fault is one after a trip through JSON as well.
func TestCheckAgainSaysTheSame(t *testing.T) {
	t.Parallel()
	good := 0
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		if rapid.Bool().Draw(t, "spoil") {
			messagetest.Spoil(t, m)
		}
		first := message.Check(m)
		if again := message.Check(m); len(again) != len(first) {
			t.Fatalf("%v, then %v", first, again)
		}
		if len(first) > 0 {
			return
		}
		good++
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := message.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if faults := message.Check(back); len(faults) > 0 {
			t.Fatalf("%s: %v", text, faults)
		}
	})
	if good == 0 {
		t.Error("no message without fault was drawn")
	}
}

func TestCheckTopic(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"news": true, "a-Z_0.~%": true, "": false, "/topics/news": false, "a b": false, "größe": false, "a/b": false,
	} {
		if got := message.CheckTopic(name); (got == "") != want {
			t.Errorf("%q: %s", name, got)
		}
	}
}

func TestCheckCondition(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]bool{
		`'a' in topics`: true,
		`"a" in topics`: true,
		`'a' in topics && ('b' in topics||'c' in topics)`: true,
		`!('a' in topics)`: true,
		strings.Repeat(`'a' in topics && `, 4) + `'a' in topics`: true,
		strings.Repeat(`'a' in topics && `, 5) + `'a' in topics`: false,
		``:                              false,
		`a in topics`:                   false,
		`'' in topics`:                  false,
		`'a b' in topics`:               false,
		`'/topics/a' in topics`:         false,
		`'a' in topic`:                  false,
		`'a' in topics &&`:              false,
		`('a' in topics`:                false,
		`'a' in topics)`:                false,
		`'a in topics`:                  false,
		`'a' in topics 'b' in topics`:   false,
		`in topics`:                     false,
		strings.Repeat("(", 1000) + `'`: false,
	} {
		if got := message.CheckCondition(condition); (got == "") != want {
			t.Errorf("%q: %s", condition, got)
		}
	}
}
