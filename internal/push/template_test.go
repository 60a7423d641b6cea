package push

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

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
//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
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
