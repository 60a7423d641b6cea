package message_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/message"
)

func TestOverride(t *testing.T) {
	t.Parallel()
	texts := message.Override{Title: "T", Body: "B", Image: "https://i"}
	for name, c := range map[string]struct {
		override message.Override
		m, want  string
	}{
		"nothing":   {message.Override{}, `{"data":{"a":"b"}}`, `{"data":{"a":"b"}}`},
		"one title": {message.Override{Title: "T"}, `{"notification":{"title":"t","body":"b"}}`, `{"notification":{"title":"T","body":"b"}}`},
		"of a message that shows nothing": {
			message.Override{Title: "T"}, `{"data":{"a":"b"}}`, `{"data":{"a":"b"},"notification":{"title":"T"}}`,
		},
		"where a platform has its own": {
			texts, `{"notification":{"title":"t"},"android":{"notification":{"title":"t","body_loc_key":"k","body_loc_args":["a"],"icon":"i"}},
				"webpush":{"notification":{"title":"t","requireInteraction":true}}}`,
			`{"notification":{"title":"T","body":"B","image":"https://i"},"android":{"notification":{"title":"T","body":"B","icon":"i"}},
				"webpush":{"notification":{"title":"T","requireInteraction":true}}}`,
		},
		"an alert that is a text": {
			texts, `{"apns":{"payload":{"aps":{"alert":"b"}}}}`,
			`{"notification":{"title":"T","body":"B","image":"https://i"},"apns":{"payload":{"aps":{"alert":{"title":"T","body":"B"}}}}}`,
		},
		"the body of an alert that is a text": {
			message.Override{Body: "B"},
			`{"apns":{"payload":{"aps":{"alert":"b"}}}}`,
			`{"notification":{"body":"B"},"apns":{"payload":{"aps":{"alert":"B"}}}}`,
		},
		"an alert with a translation, and a picture": {
			texts, `{"apns":{"payload":{"aps":{"alert":{"loc-key":"k","loc-args":["a"],"subtitle":"s"}}},"fcm_options":{"image":"https://x"}}}`,
			`{"notification":{"title":"T","body":"B","image":"https://i"},
				"apns":{"payload":{"aps":{"alert":{"body":"B","subtitle":"s"}}},"fcm_options":{"image":"https://i"}}}`,
		},
		"a badge": {
			message.Override{Badge: new(int32(3))},
			`{"notification":{"title":"t"},"apns":{"payload":{"aps":{"badge":1,"sound":"s"}}}}`,
			`{"notification":{"title":"t"},"apns":{"payload":{"aps":{"badge":3,"sound":"s"}}},"android":{"notification":{"notification_count":3}}}`,
		},
		"a badge of a message that shows nothing": {
			message.Override{Badge: new(int32(3))}, `{"data":{"a":"b"}}`, `{"data":{"a":"b"},"apns":{"payload":{"aps":{"badge":3}}}}`,
		},
		"no badge any more": {
			message.Override{Badge: new(int32(0))},
			`{"notification":{"title":"t"}}`,
			`{"notification":{"title":"t"},"apns":{"payload":{"aps":{"badge":0}}}}`,
		},
		"a live activity": {
			message.Override{LiveActivityToken: "l"},
			`{"apns":{"live_activity_token":"m","payload":{"aps":{"event":"update"}}}}`,
			`{"apns":{"live_activity_token":"l","payload":{"aps":{"event":"update"}}}}`,
		},
	} {
		m := tree(t, c.m)
		if d := cmp.Diff(tree(t, c.want), c.override.Apply(m)); d != "" {
			t.Errorf("%s (-want +got): %s", name, d)
		}
		if d := cmp.Diff(tree(t, c.m), m); d != "" {
			t.Errorf("%s: the message itself was changed: %s", name, d)
		}
	}
}

func TestOverrideEqual(t *testing.T) {
	t.Parallel()
	one := message.Override{Title: "t", Badge: new(int32(1))}
	for other, want := range map[*message.Override]bool{
		{Title: "t", Badge: new(int32(1))}: true, {Title: "t", Badge: new(int32(2))}: false, {Title: "t"}: false,
		{Title: "u", Badge: new(int32(1))}: false,
	} {
		if one.Equal(*other) != want || other.Equal(one) != want {
			t.Errorf("%+v and %+v: want %t", one, *other, want)
		}
	}
}
