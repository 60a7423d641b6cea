package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

func now() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }

func TestDecodeRequestReadsEverything(t *testing.T) {
	t.Parallel()
	body := `{"to":{"tokens":["a","b"]},"message":{"data":{"k":"v"}},"priority":"high","delivery_guarantee":"at_most_once",
		"collapse_id":"c","labels":{"campaign":"größe"},"expires_at":"2026-11-21T10:30:00+00:00","validate_only":true}`
	req, err := DecodeRequest([]byte(body), false, now())
	want := Request{
		Target: push.Target{Tokens: []push.Token{"a", "b"}}, Message: push.Message(`{"data":{"k":"v"}}`), Priority: push.PriorityHigh,
		Guarantee:  push.AtMostOnce,
		CollapseID: "c", Labels: map[string]string{"campaign": "größe"}, ExpiresAt: now().Add(time.Hour), PriorityGiven: true,
		GuaranteeGiven: true, ValidateOnly: true,
	}
	if diff := cmp.Diff(want, req); err != nil || diff != "" {
		t.Errorf("request (-want +got):\n%s%v", diff, err)
	}
}

func TestDecodeRequestDefaults(t *testing.T) {
	t.Parallel()
	req, err := DecodeRequest([]byte(`{"message":{"data":{}},"throttle":{"per_second":250}}`), true, now())
	want := Request{Message: push.Message(`{"data":{}}`), Priority: push.PriorityNormal, Guarantee: push.AtLeastOnce, PerSecond: 250}
	if diff := cmp.Diff(want, req); err != nil || diff != "" {
		t.Errorf("request (-want +got):\n%s%v", diff, err)
	}
}

func TestDecodeRequestTTL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		`1`: time.Second, `2419200`: push.MaxTTL, `"90s"`: 90 * time.Second, `"24h"`: 24 * time.Hour, `"1h30m"`: 90 * time.Minute,
		`"672h"`: push.MaxTTL,
	} {
		req, err := DecodeRequest([]byte(`{"message":{"data":{}},"ttl":`+in+`}`), true, now())
		if err != nil || req.TTL != want {
			t.Errorf("ttl %s is %v, %v; want %v", in, req.TTL, err, want)
		}
	}
}

// jsonList is a JSON array of n values.
func jsonList(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func TestDecodeRequestFaults(t *testing.T) {
	t.Parallel()
	to := func(s string) string { return `{"message":{"data":{}},"to":` + s + `}` }
	with := func(s string) string { return `{"message":{"data":{}},"to":{"topic":"a"},` + s + `}` }
	long := func(n int) string { return strings.Repeat("x", n) }
	checkFaults(t, []faultCase{
		{"tokens", to(`{"tokens":["a"]}`), nil},
		{"fids", to(`{"fids":["a"]}`), nil},
		{"users", to(`{"user_ids":["Jürgen 🐝"]}`), nil},
		{"devices", to(`{"device_ids":["dev_1.2:3-4"]}`), nil},
		{"a topic", to(`{"topic":"news"}`), nil},
		{"a condition", to(`{"condition":"'a' in topics"}`), nil},
		{"a thousand tokens", to(`{"tokens":` + jsonList(1000, `"t%d"`) + `}`), nil},

		{"not JSON", `to: me`, []string{" syntax"}},
		{"nothing", ``, []string{" syntax"}},
		{"cut off", `{"to":`, []string{"/to syntax"}},
		{"not an object", `[]`, []string{" type"}},
		{"an empty object", `{}`, []string{" missing", " missing"}},
		{"a null target", to(`null`), []string{" missing"}},
		{
			"null for everything that may be left out",
			with(`"priority":null,"ttl":null,"expires_at":null,"labels":null,"collapse_id":null,"delivery_guarantee":null,"validate_only":null,` +
				`"send_at":null,"throttle":null`),
			nil,
		},
		{"a null kind of target", to(`{"tokens":["a"],"user_ids":null,"topic":null}`), nil},
		{"a null message", `{"to":{"topic":"a"},"message":null}`, []string{" missing"}},
		{"a null label", with(`"labels":{"k":null}`), []string{"/labels/k type"}},
		{"a target twice", `{"message":{"data":{}},"to":{"tokens":["a"]},"to":{"topic":"b"}}`, []string{"/to conflict"}},
		{"a label twice", with(`"labels":{"k":"a","\u006b":"b"}`), []string{"/labels/k conflict"}},
		{"not UTF-8", "{\"to\":{\"user_ids\":[\"a\",\"Fran\xe7ois\"]},\"message\":{\"data\":{}}}", []string{"/to/user_ids/1 syntax"}},
		{"half an emoji", to(`{"user_ids":["\ud83d"]}`), []string{"/to/user_ids/0 syntax"}},
		{"a user with U+0000", to(`{"user_ids":["a\u0000"]}`), []string{"/to/user_ids/0 value"}},
		{"a label with U+0000", with(`"labels":{"a\u0000":"","b":"\u0000"}`), []string{"/labels/a\x00 value", "/labels/b value"}},
		{"a collapse id with a line break", with(`"collapse_id":"a\r\napns-priority: 10"`), []string{"/collapse_id value"}},
		{"a collapse id beyond ASCII", with(`"collapse_id":"größe"`), []string{"/collapse_id value"}},
		{"a time with a comma", with(`"expires_at":"2026-11-21T10:30:00,5Z"`), []string{"/expires_at value"}},
		{"a target of another type", to(`["a"]`), []string{"/to type"}},
		{"an empty target", to(`{}`), []string{"/to missing"}},
		{"an empty list", to(`{"tokens":[]}`), []string{"/to/tokens missing"}},
		{"two targets", to(`{"tokens":["a"],"topic":"b"}`), []string{"/to conflict"}},
		{"an unknown target", to(`{"email":"a"}`), []string{"/to/email unknown"}},
		{"a segment", to(`{"segment":"vip"}`), []string{"/to/segment unsupported"}},
		{"a thousand and one", to(`{"tokens":` + jsonList(1001, `"t%d"`) + `}`), []string{"/to/tokens too_large"}},
		{"bad tokens", to(`{"tokens":["a b",1,""]}`), []string{"/to/tokens/0 value", "/to/tokens/1 type", "/to/tokens/2 value"}},
		{
			"bad users", to(`{"user_ids":["","` + long(257) + `",7]}`),
			[]string{"/to/user_ids/0 value", "/to/user_ids/1 value", "/to/user_ids/2 type"},
		},
		{
			"bad devices", to(`{"device_ids":["a/b","","` + long(65) + `",null]}`),
			[]string{"/to/device_ids/0 value", "/to/device_ids/1 value", "/to/device_ids/2 value", "/to/device_ids/3 type"},
		},
		{"a bad topic", to(`{"topic":"/topics/a"}`), []string{"/to/topic value"}},
		{"a bad condition", to(`{"condition":"always"}`), []string{"/to/condition value"}},

		{"no message", `{"to":{"topic":"a"}}`, []string{" missing"}},
		{"a bad message", `{"to":{"topic":"a"},"message":{"android":{"ttl":"x"}}}`, []string{"/message/android/ttl value"}},
		{"too large for a topic", `{"to":{"topic":"a"},"message":{"data":{"k":"` + long(2048) + `"}}}`, []string{"/message too_large"}},
		{"not too large for a token", `{"to":{"tokens":["a"]},"message":{"data":{"k":"` + long(2048) + `"}}}`, nil},

		{"a priority", with(`"priority":"urgent"`), []string{"/priority value"}},
		{"a guarantee", with(`"delivery_guarantee":"exactly_once"`), []string{"/delivery_guarantee value"}},
		{"a collapse id", with(`"collapse_id":"` + long(65) + `"`), []string{"/collapse_id value"}},
		{"an empty collapse id", with(`"collapse_id":""`), []string{"/collapse_id value"}},
		{
			"labels", with(`"labels":{"":"a","k":1,"l":"` + long(129) + `","` + long(129) + `":"v"}`),
			[]string{"/labels/k type", "/labels/ too_large", "/labels/l too_large", "/labels/" + long(129) + " too_large"},
		},
		{"many labels", with(`"labels":{` + strings.Trim(jsonList(21, `"l%d":"v"`), "[]") + `}`), []string{"/labels too_large"}},
		{"a past", with(`"expires_at":"2026-11-21T09:30:00Z"`), []string{"/expires_at value"}},
		{"a far future", with(`"expires_at":"2036-11-21T09:30:00Z"`), []string{"/expires_at value"}},
		{"a time that is none", with(`"expires_at":"tomorrow"`), []string{"/expires_at value"}},
		{"a time as number", with(`"expires_at":1`), []string{"/expires_at type"}},
		{"ttl and expires_at", with(`"ttl":60,"expires_at":"2026-11-21T10:30:00Z"`), []string{"/ttl conflict"}},
		{"ttl of nothing", with(`"ttl":0`), []string{"/ttl value"}},
		{"ttl too long", with(`"ttl":2419201`), []string{"/ttl value"}},
		{"ttl with a fraction", with(`"ttl":1.5`), []string{"/ttl value"}},
		{"ttl in years", with(`"ttl":"1y"`), []string{"/ttl value"}},
		{"ttl too short", with(`"ttl":"999ms"`), []string{"/ttl value"}},
		{"ttl of another type", with(`"ttl":true`), []string{"/ttl type"}},
		{"validate_only", with(`"validate_only":"yes"`), []string{"/validate_only type"}},
		{
			"rooms that do not exist yet", with(`"send_at":"x","template":"y","sandbox":true`),
			[]string{"/sandbox unsupported", "/send_at unsupported", "/template unsupported"},
		},
		{"a throttle", with(`"throttle":{"per_second":5}`), []string{"/throttle conflict"}},
		{"an unknown field", with(`"tokens":["a"]`), []string{"/tokens unknown"}},
	}, func(body []byte) error {
		_, err := DecodeRequest(body, false, now())
		return err
	})
}

func TestDecodeBatchRequestFaults(t *testing.T) {
	t.Parallel()
	checkFaults(t, []faultCase{
		{"a batch", `{"message":{"data":{}},"ttl":60}`, nil},
		{"with a target", `{"message":{"data":{}},"to":{"topic":"a"}}`, []string{"/to conflict"}},
		{"with a throttle", `{"message":{"data":{}},"throttle":{"per_second":1000000}}`, nil},
		{"too slow", `{"message":{"data":{}},"throttle":{"per_second":0}}`, []string{"/throttle/per_second value"}},
		{"too fast", `{"message":{"data":{}},"throttle":{"per_second":1000001}}`, []string{"/throttle/per_second value"}},
		{"a throttle of parts", `{"message":{"data":{}},"throttle":{"per_second":0.5}}`, []string{"/throttle/per_second value"}},
		{"an empty throttle", `{"message":{"data":{}},"throttle":{}}`, []string{"/throttle missing"}},
		{"a throttle of nothing", `{"message":{"data":{}},"throttle":{"per_second":null}}`, []string{"/throttle missing"}},
		{"a bare throttle", `{"message":{"data":{}},"throttle":5}`, []string{"/throttle type"}},
		{"a throttle per minute", `{"message":{"data":{}},"throttle":{"per_second":1,"per_minute":6}}`, []string{"/throttle/per_minute unknown"}},
		{"with validate_only", `{"message":{"data":{}},"validate_only":true}`, []string{"/validate_only conflict"}},
	}, func(body []byte) error {
		_, err := DecodeRequest(body, true, now())
		return err
	})
}

func TestRequestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LXBhcnQ:APA91bH-7KqXvWzJmYtRfLpGdNsQ_uEaHiCoBk4x"
	_, err := DecodeRequest([]byte(`{"message":{"data":{}},"to":{"tokens":["`+secret+` "]}}`), false, now())
	if err == nil || strings.Contains(err.Error(), secret[:5]) || strings.Contains(err.Error(), secret[20:25]) {
		t.Errorf("the error is %v", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, seed := range []string{
		`{"to":{"tokens":["a","b"]},"message":{"notification":{"title":"Hi"}}}`,
		`{"to":{"condition":"'a' in topics"},"message":{"data":{"k":"v"}},"ttl":"90s","labels":{"a":"b"}}`,
		`{"message":{"android":{"ttl":"3.5s"},"apns":{"payload":{"n":1e400}}},"expires_at":"2026-11-21T10:30:00Z","priority":"bulk"}`,
		`{"to":{"user_ids":["\ud800","ü"]},"message":{"data":{"k":"\u0000"}},"collapse_id":"<&>","validate_only":true}`,
		`{"to":{"topic":"a"},"to":{"topic":"b"}}`, `{"to":null}`, `[]`, `{`, ``, "\xff",
		`{"message":{"data":{}},"labels":{},"ttl":"1s","throttle":{"per_second":7}}`,
		`{"message":{"data":{}},"expires_at":"2026-11-21T9:30:00,5Z"}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, batch bool) {
		req, err := DecodeRequest(body, batch, now())
		if err != nil {
			if faults, ok := errors.AsType[push.Faults](err); !ok || len(faults) == 0 || len(faults) > maxFaults {
				t.Fatalf("error is %T: %v", err, err)
			}
			return
		}
		if n := req.Target.Count(); batch != (n == 0) || n > push.MaxInlineTargets {
			t.Fatalf("accepted %d targets, batch %v", n, batch)
		}
		// What was accepted is stored and read again.
		want := push.Notification{
			Target: req.Target, Message: req.Message, Priority: req.Priority, Guarantee: req.Guarantee, CollapseID: req.CollapseID,
			Labels: req.Labels, TTL: req.TTL, ExpiresAt: req.ExpiresAt, PerSecond: req.PerSecond,
		}
		stored, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("an accepted request does not marshal: %v", err)
		}
		var got push.Notification
		if err := json.Unmarshal(stored, &got); err != nil {
			t.Fatalf("stored as %s: %v", stored, err)
		}
		got.Message, want.Message = nil, nil // <, > and & are escaped in between
		if !cmp.Equal(got, want, cmpopts.EquateEmpty()) {
			t.Fatalf("stored as %s\n%s", stored, cmp.Diff(want, got))
		}
		if _, err := DecodeMessage(req.Message, ""); err != nil {
			t.Fatalf("an accepted message is refused: %v", err)
		}
		tree, err := message.Decode(req.Message)
		if err != nil {
			t.Fatalf("an accepted message can't be sent: %v", err)
		}
		complete, _ := message.Complete(tree, message.Delivery{ID: "ntf_x", CollapseID: req.CollapseID, High: true}, now())
		if faults := message.Check(complete); len(faults) > 0 {
			t.Fatalf("an accepted message can't be sent: %v", faults)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	for _, seed := range []string{
		`{"notification":{"title":"Hi <b>","image":"https://example.com/i.png"},"data":{"k":"v"}}`,
		`{"android":{"ttl":"2419200s","notification":{"color":"#aabbcc","vibrate_timings":["1s"],"event_time":"2026-11-21T09:30:00Z"}}}`,
		`{"webpush":{"notification":{"a":[1,2,{"b":null}]}},"apns":{"payload":{"aps":{"badge":1}}}}`,
		`{"token":"a"}`, `{"data":{"from":"a"},"data":{}}`, `{}`, `null`, `"`, "{\"data\":{\"\xff\":\"\xfe\"}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeMessage(body, "/message")
		if err != nil {
			faults, ok := errors.AsType[push.Faults](err)
			if !ok {
				t.Fatalf("error is %T: %v", err, err)
			}
			for _, fault := range faults {
				if !strings.HasPrefix(fault.Pointer, "/message") {
					t.Fatalf("fault outside the message: %v", fault)
				}
			}
			return
		}
		again, err := DecodeMessage(m, "/message")
		if err != nil || string(again) != string(m) {
			t.Fatalf("accepted as %s, then %s, %v", m, again, err)
		}
		template, err := message.NewTemplate(m, 0)
		if err != nil {
			t.Fatal(err)
		}
		if body = template.Append(nil, "token", "t", time.Time{}, time.Time{}); !json.Valid(body) {
			t.Fatalf("the request body %s is not JSON", body)
		}
	})
}
