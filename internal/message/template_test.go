package message_test

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/message/messagetest"
)

const token = "c2VjcmV0LXBhcnQ:APA91bH-7KqXvWzJmYtRfLpGdNsQ_uEaHiCoBk4x"

// TestTemplateIsTheEncodersBody compares the spliced request with the one that
// encoding/json writes, for any message, any target and any time.
func TestTemplateIsTheEncodersBody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		d := anyDelivery(t)
		complete, timed := message.Complete(m, d, noon())
		encoded, err := message.Encode(complete)
		if err != nil {
			t.Fatal(err)
		}
		template, err := message.NewTemplate(encoded, timed)
		if err != nil {
			t.Fatal(err)
		}
		// Later, with another deadline: a retry, or a replay that gave a new one.
		now := noon().Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "later")))
		if !d.Deadline.IsZero() {
			d.Deadline = now.Add(time.Duration(rapid.Int64Range(1, int64(100*24*time.Hour)).Draw(t, "left then")))
		}
		kind := rapid.SampledFrom([]string{"token", "fid", "topic", "condition"}).Draw(t, "kind")
		value := rapid.OneOf(rapid.StringMatching(`[ -~]{1,40}`), rapid.String()).Draw(t, "value")
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "prefix")
		got := template.Append(append([]byte(nil), prefix...), kind, value, d.Deadline, now)
		if string(got[:len(prefix)]) != string(prefix) {
			t.Fatal("the bytes before were changed")
		}
		whole, _ := message.Complete(m, d, now)
		whole = maps.Clone(whole)
		whole[kind] = value
		want, err := json.Marshal(map[string]any{"message": whole})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decoded(t, want), decoded(t, got[len(prefix):])); diff != "" {
			t.Fatalf("request (-want +got):\n%s", diff)
		}
	})
}

func decoded(t interface{ Fatal(args ...any) }, b []byte) map[string]any {
	m, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTemplateOfNothing(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "{}"} {
		empty, err := message.NewTemplate([]byte(in), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(empty.Append(nil, "token", "a", time.Time{}, time.Time{})); got != `{"message":{"token":"a"}}` {
			t.Errorf("request is %s", got)
		}
	}
}

// TestTemplateWithoutItsValue: a value that an encoder dropped would go out
// without anybody noticing.
func TestTemplateWithoutItsValue(t *testing.T) {
	t.Parallel()
	for _, in := range []string{`{"data":{"ttl":"1"}}`, `{"android":{"data":{"ttl":"300s"}}}`, `{"android":{"ttl":300}}`, `{"android":`} {
		if _, err := message.NewTemplate([]byte(in), message.TimedAndroid); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func sample(tb testing.TB, d message.Delivery) message.Template {
	tb.Helper()
	m, timed := message.Complete(tree(tb, `{"notification":{"title":"Hi","body":"There"}}`), d, noon())
	encoded, err := message.Encode(m)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := message.NewTemplate(encoded, timed)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func limited() message.Delivery {
	return message.Delivery{ID: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", High: true, Deadline: noon().Add(time.Hour)}
}

func TestTemplateDoesNotAllocate(t *testing.T) { //nolint:paralleltest // counts the allocations of the whole process
	template, d := sample(t, limited()), limited()
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = template.Append(dst[:0], "token", token, d.Deadline, noon()) }); n != 0 {
		t.Errorf("%v allocations a send", n)
	}
}

func BenchmarkTemplate(b *testing.B) {
	for name, d := range map[string]message.Delivery{"plain": {ID: limited().ID}, "limited": limited()} {
		b.Run(name, func(b *testing.B) {
			template, now := sample(b, d), noon()
			dst := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				dst = template.Append(dst[:0], "token", token, d.Deadline, now)
			}
			b.ReportMetric(float64(len(dst)), "bytes")
		})
	}
}
