package push

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStabilize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, collapse string
		data               map[string]string
		want               string
	}{
		{
			name: "shown everywhere", in: `{"notification":{"title":"<Hi>"}}`,
			want: `{"android":{"notification":{"tag":"ntf_1"}},"apns":{"headers":{"apns-collapse-id":"ntf_1"}},"data":{"belfry_id":"ntf_1"},
				"notification":{"title":"<Hi>"},"webpush":{"notification":{"tag":"ntf_1"}}}`,
		},
		{
			name: "data only stays silent", in: `{"data":{"k":"v"}}`,
			want: `{"apns":{"headers":{"apns-collapse-id":"ntf_1"}},"data":{"belfry_id":"ntf_1","k":"v"}}`,
		},
		{
			name: "shown on android only", in: `{"android":{"notification":{"title":"Hi"},"ttl":"1s"},"webpush":{"data":{"a":"b"}}}`,
			want: `{"android":{"notification":{"tag":"ntf_1","title":"Hi"},"ttl":"1s"},"apns":{"headers":{"apns-collapse-id":"ntf_1"}},
				"data":{"belfry_id":"ntf_1"},"webpush":{"data":{"a":"b"}}}`,
		},
		{
			name: "shown on the web only", in: `{"webpush":{"notification":{"title":"Hi"}}}`,
			want: `{"apns":{"headers":{"apns-collapse-id":"ntf_1"}},"data":{"belfry_id":"ntf_1"},"webpush":{"notification":{"tag":"ntf_1","title":"Hi"}}}`,
		},
		{
			name: "the caller's own fields are kept", collapse: "collapse",
			in: `{"notification":{"title":"Hi"},"android":{"collapse_key":"k","notification":{"tag":"mine"}},"apns":{"headers":{"apns-collapse-id":"mine"}},
				"webpush":{"notification":{"tag":"mine"}},"data":{"belfry_id":"mine"}}`,
			want: `{"notification":{"title":"Hi"},"android":{"collapse_key":"k","notification":{"tag":"mine"}},"apns":{"headers":{"apns-collapse-id":"mine"}},
				"webpush":{"notification":{"tag":"mine"}},"data":{"belfry_id":"mine"}}`,
		},
		{
			name: "a collapse id is the tag, the id stays the id", in: `{"notification":{}}`, collapse: "score-7",
			want: `{"android":{"notification":{"tag":"score-7"}},"apns":{"headers":{"apns-collapse-id":"score-7"}},"data":{"belfry_id":"ntf_1"},
				"notification":{},"webpush":{"notification":{"tag":"score-7"}}}`,
		},
		{
			name: "overrides go on top", in: `{"data":{"a":"1","b":"1"}}`, data: map[string]string{"b": "2", "c": "2"},
			want: `{"apns":{"headers":{"apns-collapse-id":"ntf_1"}},"data":{"a":"1","b":"2","belfry_id":"ntf_1","c":"2"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Stabilize(Message(c.in), "ntf_1", c.collapse, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decoded(t, []byte(c.want)), decoded(t, got)); diff != "" {
				t.Errorf("stabilized (-want +got):\n%s", diff)
			}
			if _, err := DecodeMessage(got, ""); err != nil {
				t.Errorf("FCM's rules refuse it: %v", err)
			}
		})
	}
	if _, err := Stabilize(Message(`{`), "ntf_1", "", nil); err == nil {
		t.Error("a damaged message was stabilized")
	}
}

func decoded(t interface {
	Helper()
	Fatal(args ...any)
}, b []byte,
) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
