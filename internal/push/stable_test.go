package push

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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

// TestTemplateIsTheEncodersBody compares the spliced request with the one that
// encoding/json writes, for any message and any address.
func TestTemplateIsTheEncodersBody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		message := map[string]any{}
		for k, v := range rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), rapid.String(), 0, 4).Draw(t, "message") {
			message[k] = v
		}
		if rapid.Bool().Draw(t, "nested") {
			message["android"] = map[string]any{"notification": map[string]any{"tag": "t"}}
		}
		kind := rapid.SampledFrom([]Kind{KindToken, KindFID, KindTopic, KindCondition}).Draw(t, "kind")
		delete(message, string(kind))
		value := rapid.OneOf(rapid.StringMatching(`[ -~]{1,40}`), rapid.String()).Draw(t, "value")
		encoded, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "prefix")
		got := NewTemplate(encoded).Append(append([]byte(nil), prefix...), Address{kind, Token(value)})
		if string(got[:len(prefix)]) != string(prefix) {
			t.Fatal("the bytes before were changed")
		}
		whole := maps.Clone(message)
		whole[string(kind)] = value
		want, err := json.Marshal(map[string]any{"message": whole})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, want), decoded(t, got[len(prefix):])); diff != "" {
			t.Fatalf("request (-want +got):\n%s", diff)
		}
	})
}

func TestTemplateOfNothing(t *testing.T) {
	t.Parallel()
	for _, empty := range []Template{NewTemplate(nil), NewTemplate([]byte("{}")), {}} {
		if got := string(empty.Append(nil, Address{KindToken, "a"})); got != `{"message":{"token":"a"}}` {
			t.Errorf("request is %s", got)
		}
	}
}

//nolint:paralleltest // counts the allocations of the whole process
func TestTemplateDoesNotAllocate(t *testing.T) {
	template := NewTemplate([]byte(`{"notification":{"title":"Hi"}}`))
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = template.Append(dst[:0], Address{KindToken, secret}) }); n != 0 {
		t.Errorf("%v allocations a send", n)
	}
}

func BenchmarkTemplate(b *testing.B) {
	template := NewTemplate([]byte(`{"notification":{"title":"Hi","body":"There"},"data":{"belfry_id":"ntf_01890a5d-ac96-774b-bcce-b302099a8057"}}`))
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = template.Append(dst[:0], Address{KindToken, secret})
	}
}
