package fcm

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"firebase.google.com/go/v4/messaging"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// messages are valid messages without a target. Client reports whether Google's
// client can express them without loss.
var messages = []struct {
	name, json string
	client     bool
}{
	{"notification", `{"notification":{"title":"Héllo <b>","body":"a\"b\\c \u2028 😀","image":"https://example.com/i.png"}}`, true},
	{"data", `{"data":{"k":"v","belfry_id":"x","empty":""}}`, true},
	{"labels", `{"fcm_options":{"analytics_label":"l"},"data":{"a":"b"}}`, true},
	{"android", `{"android":{"collapse_key":"c","priority":"high","ttl":"3600s","restricted_package_name":"com.example","direct_boot_ok":true,
		"data":{"a":"b"},"fcm_options":{"analytics_label":"l"},"notification":{"title":"t","color":"#aabbcc","tag":"x","channel_id":"ch",
		"title_loc_key":"k","title_loc_args":["a"],"notification_priority":"PRIORITY_HIGH","visibility":"PUBLIC","sticky":true,
		"notification_count":3,"event_time":"2026-11-21T12:00:00.000000000Z","vibrate_timings":["1s","0.500000000s"],"proxy":"DENY",
		"light_settings":{"color":{"red":1,"green":1,"blue":1,"alpha":1},"light_on_duration":"1s","light_off_duration":"2s"}}}}`, true},
	{"apns", `{"apns":{"headers":{"apns-priority":"10"},"payload":{"aps":{"alert":{"title":"t","loc-key":"k","loc-args":["a"]},"badge":0,
		"sound":{"critical":1,"name":"s","volume":0.5},"content-available":1,"mutable-content":1,"custom":[1,2.5,null]},"mine":{"x":1000}},
		"fcm_options":{"analytics_label":"l","image":"https://example.com/i.png"}}}`, true},
	{"webpush", `{"webpush":{"headers":{"TTL":"15"},"data":{"a":"b"},"notification":{"title":"t","dir":"ltr",
		"actions":[{"action":"a","title":"b"}],
		"requireInteraction":true,"vibrate":[100,200],"own":"field"},"fcm_options":{"link":"https://example.com"}}}`, true},

	{"fields that the client lacks", `{"android":{"bandwidth_constrained_ok":false,"notification":{"bypass_proxy_notification":true}},
		"apns":{"live_activity_token":"x","payload":{"aps":{"event":"end"}}}}`, false},
	{"upper-case priority, as in the reference", `{"android":{"priority":"HIGH"}}`, false},
	{"analytics label without a link", `{"webpush":{"notification":{"title":"t"},"fcm_options":{"analytics_label":"l"}}}`, false},
	{"unspecified enum", `{"android":{"notification":{"notification_priority":"PRIORITY_UNSPECIFIED"}}}`, false},
	{"duration that the client cannot read", `{"android":{"ttl":"1.000s"}}`, false},
	{"duration that the client misreads", `{"android":{"ttl":"1.05s"}}`, false},
	{"false values", `{"android":{"direct_boot_ok":false},"notification":{"title":""}}`, false},
	{"large numbers", `{"apns":{"payload":{"aps":{"badge":1},"id":12345678901234567890}}}`, false},
	{
		"light that the client misreads",
		`{"android":{"notification":{"light_settings":{"color":{"red":1},"light_on_duration":"1s","light_off_duration":"1s"}}}}`, false,
	},
	{"data that looks like the marker", `{"data":{"token":"belfry-marker","fid":"belfry-marker"}}`, true},
	{"number in another spelling", `{"apns":{"payload":{"aps":{"badge":1},"x":1e3}}}`, false},
	{"aps missing", `{"apns":{"payload":{"mine":1}}}`, false},
	{"image that the client refuses", `{"notification":{"image":"https://cdn.example.com/100%_off.png"}}`, false},
}

// sent is the tree of the message that goes out for one address.
func sent(t *testing.T, m push.Message, kind push.Kind, value string) map[string]any {
	t.Helper()
	tree, err := message.Decode(requestFor(t, string(m), kind, value))
	if err != nil {
		t.Fatal(err)
	}
	return tree["message"].(map[string]any)
}

// TestEncode checks that what goes out is what the caller meant, whole, and
// with a target.
func TestEncode(t *testing.T) {
	t.Parallel()
	enc, err := NewEncoder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range messages {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			encoded, err := enc.Encode(push.Message(tc.json))
			if err != nil {
				t.Fatal(err)
			}
			want, err := message.Decode([]byte(tc.json))
			if err != nil {
				t.Fatal(err)
			}
			want["fid"] = "f"
			if got := sent(t, encoded, push.KindFID, "f"); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

// TestEncodeAgreesWithGoogle sends the same messages through Google's client
// over a transport that listens: both requests must be the same tree.
func TestEncodeAgreesWithGoogle(t *testing.T) {
	t.Parallel()
	enc, err := NewEncoder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte
	client := officialClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		wire = readAll(t, r.Body)
		return (&capture{}).RoundTrip(&http.Request{Body: http.NoBody})
	}))
	for _, tc := range messages {
		if !tc.client {
			continue
		}
		var msg messaging.Message
		if err := json.Unmarshal([]byte(tc.json), &msg); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		msg.Fid = "the-fid"
		if _, err := client.Send(t.Context(), &msg); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		want, err := message.Decode(wire)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		encoded, err := enc.Encode(push.Message(tc.json))
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if got := sent(t, encoded, push.KindFID, "the-fid"); !reflect.DeepEqual(got, want["message"]) {
			t.Errorf("%s: we send\n%v\nGoogle's client sends\n%v", tc.name, got, want["message"])
		}
	}
}

// TestEncodeRefuses with a reason and its place.
func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	enc, err := NewEncoder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, json, want string }{
		{"image is no URL", `{"notification":{"image":"no url"}}`, "/notification/image: must be an absolute"},
		{
			"arguments without a key", `{"android":{"notification":{"title_loc_args":["a"]}}}`,
			"/android/notification/title_loc_args: needs title_loc_key",
		},
		{"link without https", `{"webpush":{"notification":{"title":"t"},"fcm_options":{"link":"http://example.com"}}}`, "https"},
		{"an expiration in words", `{"apns":{"headers":{"apns-expiration":"tomorrow"}}}`, "seconds since 1970"},
		{
			"light that makes the client panic",
			`{"android":{"notification":{"light_settings":{"light_on_duration":"1s","light_off_duration":"1s"}}}}`, "light_settings needs color",
		},
		{"a field that FCM lacks", `{"hologram":{"depth":3}}`, "unknown field"},
		{"a target of its own", `{"token":"t","data":{"a":"b"}}`, "/token: "},
		{"a topic of its own", `{"topic":"t"}`, "/topic: "},
		{"not JSON", `{`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"an array", `[]`, "not a JSON object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := enc.Encode(push.Message(tc.json))
			e := asError(t, err)
			if e.Code != push.CodePayloadInvalid || !strings.Contains(e.Detail, tc.want) {
				t.Errorf("got %v, want payload.invalid with %q", err, tc.want)
			}
		})
	}
}

// TestEncodeConcurrently mixes good and bad messages: no one gets another's.
func TestEncodeConcurrently(t *testing.T) {
	t.Parallel()
	enc, err := NewEncoder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			mine := strings.Repeat("x", i+1)
			for range 50 {
				encoded, err := enc.Encode(push.Message(`{"notification":{"title":"` + mine + `"}}`))
				if err != nil || !strings.Contains(string(encoded), `"title":"`+mine+`"`) {
					t.Errorf("%d: %v", i, err)
				}
				if _, err := enc.Encode(push.Message(`{"notification":{"image":"no url"}}`)); !errors.As(err, new(*push.Error)) {
					t.Errorf("%d: accepted an invalid message", i)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncode(b *testing.B) {
	enc, err := NewEncoder(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := enc.Encode(push.Message(messages[0].json)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEncodeUsesGoogle shows that the client's own JSON goes out where it can:
// it sorts the data's keys.
func TestEncodeUsesGoogle(t *testing.T) {
	t.Parallel()
	enc, err := NewEncoder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := enc.Encode(push.Message(`{"notification":{"title":"t"}, "data":{"b":"2","fid":"belfry-marker","a":"1"}}`))
	if want := `{"data":{"a":"1","b":"2","fid":"belfry-marker"},"notification":{"title":"t"}}`; err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}
