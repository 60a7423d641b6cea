package message_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/message/messagetest"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     message.Sizes
	}{
		{"data", `{"data":{"ab":"cde","ü":"🐝"}}`, message.Sizes{Android: 11, APNs: 11, Web: 11}},
		{"notification", `{"notification":{"title":"T","body":"B"}}`, message.Sizes{Android: 11, APNs: 11, Web: 11}},
		{
			"android's own in place of the common",
			`{"data":{"a":"bc"},"notification":{"title":"long title","body":"B"},"android":{"data":{"x":"y"},"notification":{"title":"T",` +
				`"sticky":true}}}`,
			message.Sizes{Android: 2 + 6 + 10 + 5, APNs: 3 + 15 + 5, Web: 3 + 15 + 5},
		},
		{
			"lists, numbers and objects of android",
			`{"android":{"notification":{"body_loc_args":["ab","c"],"notification_count":12,"light_settings":{"light_on_duration":"1s"}}}}`,
			message.Sizes{Android: 13 + 3 + 18 + 2 + 14 + 26},
		},
		{
			"an empty map replaces nothing", `{"data":{"a":"bc"},"android":{"data":{}},"webpush":{"data":{}}}`,
			message.Sizes{Android: 3, APNs: 3, Web: 3},
		},
		{
			"apns as JSON", `{"apns":{"payload":{"aps":{"badge":1},"x":["\n",null,true]}}}`,
			message.Sizes{APNs: len(`{"aps":{"badge":1},"x":["\n",null,true]}`)},
		},
		{
			"with what FCM adds", `{"data":{"k":"\"v"},"notification":{"title":"T","image":"i"},"apns":{"payload":{"aps":{}}}}`,
			message.Sizes{Android: 3 + 6 + 6, APNs: len(`{"aps":{},"k":"\"v","image":"i","title":"T"}`), Web: 3 + 6 + 6},
		},
		{
			"an alert of its own", `{"notification":{"title":"T"},"apns":{"payload":{"aps":{"alert":"A"}}}}`,
			message.Sizes{Android: 6, APNs: len(`{"aps":{"alert":"A"}}`), Web: 6},
		},
		{
			"an image of its own", `{"notification":{"image":"i"},"apns":{"fcm_options":{"image":"long"}}}`,
			message.Sizes{Android: 6, APNs: 9, Web: 6},
		},
		{
			"webpush as JSON",
			`{"data":{"k":"v"},"notification":{"title":"T","body":"B"},"webpush":{"notification":{"title":"W"},` +
				`"fcm_options":{"link":"https://x.y"}}}`,
			message.Sizes{Android: 2 + 6 + 5, APNs: 2 + 6 + 5, Web: 2 + len(`{"title":"W"}`) + 5 + 4 + 11},
		},
		{
			"options of delivery",
			`{"android":{"ttl":"5s","priority":"high","collapse_key":"k"},"apns":{"headers":{"a":"b"}},"webpush":{"headers":{"a":"b"}},` +
				`"fcm_options":{"analytics_label":"l"}}`,
			message.Sizes{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := message.Measure(tree(t, c.in)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestMeasureIsTheJSON: what counts as JSON counts as much as encoding/json
// writes without needless escapes.
func TestMeasureIsTheJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		apns, _ := m["apns"].(map[string]any)
		payload, ok := apns["payload"].(map[string]any)
		if !ok {
			return
		}
		text, err := message.Encode(payload)
		if err != nil {
			t.Fatal(err)
		}
		// Go always escapes these two, which only JavaScript needs.
		want := len(text) - 3*strings.Count(string(text), `\u2028`) - 3*strings.Count(string(text), `\u2029`)
		if got := message.Measure(map[string]any{"apns": map[string]any{"payload": payload}}).APNs; got != want {
			t.Fatalf("%s: got %d, want %d", text, got, want)
		}
	})
}

// TestPersonal: the quick measure of a recipient's own data is the measure of
// the message that goes out.
func TestPersonal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		if len(message.Check(m)) > 0 {
			return
		}
		shared, own := anyDelivery(t), anyDelivery(t)
		p := message.NewPersonal(m, shared)
		got := p.Sizes(own.Data, own.CollapseID, own.Override)
		shared.Data, shared.Override = own.Data, own.Override
		if own.CollapseID != "" {
			shared.CollapseID = own.CollapseID
		}
		whole, _ := message.Complete(m, shared, noon())
		if want := message.Measure(whole); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestPersonalDoesNotAllocate(t *testing.T) { //nolint:paralleltest // counts the allocations of the whole process
	p := message.NewPersonal(tree(t, `{"notification":{"title":"Hi"},"apns":{"payload":{"aps":{}}}}`), message.Delivery{ID: "ntf_1"})
	data := map[string]string{"k": "v", "name": "Ada"}
	if n := testing.AllocsPerRun(100, func() { p.Sizes(data, "c", message.Override{}) }); n != 0 {
		t.Errorf("%v allocations a line", n)
	}
}

// TestCheckSize has each platform's own way to be too large.
func TestCheckSize(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, in string
		limit    int
		want     string // pointer; "-" for none
	}{
		{"data at the limit", `{"data":{"k":"` + long(message.Limit-1-49) + `"}}`, message.Limit, "-"},
		{"data above", `{"data":{"k":"` + long(message.Limit-49) + `"}}`, message.Limit, "/m"},
		{"android's data", `{"data":{"k":"v"},"android":{"data":{"k":"` + long(6000) + `"}}}`, message.Limit, "/m/android"},
		{"android's notification", `{"android":{"notification":{"body":"` + long(4100) + `"}}}`, message.Limit, "/m/android"},
		{
			"android's arguments", `{"android":{"notification":{"body_loc_key":"k","body_loc_args":["` + long(2100) + `","` + long(2100) + `"]}}}`,
			message.Limit, "/m/android",
		},
		{"apns' payload", `{"apns":{"payload":{"aps":{"alert":"` + long(4100) + `"}}}}`, message.Limit, "/m/apns"},
		{
			"apns' payload and the data", `{"data":{"k":"` + long(2000) + `"},"apns":{"payload":{"k":"` + long(2100) + `"}}}`, message.Limit,
			"/m/apns",
		},
		{"webpush's notification", `{"webpush":{"notification":{"body":"` + long(4100) + `"}}}`, message.Limit, "/m/webpush"},
		{"webpush's data", `{"webpush":{"data":{"k":"` + long(4100) + `"}}}`, message.Limit, "/m/webpush"},
		{
			"each within the limit",
			`{"data":{"k":"` + long(3000) + `"},"android":{"data":{"k":"` + long(3000) + `"}},"webpush":{"data":{"k":"` + long(3000) + `"}}}`,
			message.Limit, "-",
		},
		{"to a topic", `{"data":{"k":"` + long(2000) + `"}}`, message.TopicLimit, "/m"},
		{"to a topic, android's", `{"android":{"data":{"k":"` + long(2000) + `"}}}`, message.TopicLimit, "/m/android"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			faults := message.CheckSize(tree(t, c.in), message.Delivery{}, c.limit, "m")
			switch {
			case c.want == "-" && len(faults) == 0:
			case len(faults) == 1 && faults[0].Pointer == c.want && faults[0].Code == "too_large":
			default:
				t.Errorf("faults %+v, want one at %s", faults, c.want)
			}
		})
	}
}

func BenchmarkPersonal(b *testing.B) {
	p := message.NewPersonal(tree(b, `{"notification":{"title":"Hi","body":"There"},"data":{"k":"v"}}`), message.Delivery{ID: "ntf_1"})
	data := map[string]string{"name": "Ada", "code": "123456"}
	b.ReportAllocs()
	for b.Loop() {
		p.Sizes(data, "", message.Override{})
	}
}

func BenchmarkCheck(b *testing.B) {
	m := tree(b, `{"notification":{"title":"Hi","body":"There","image":"https://example.com/i.png"},"data":{"k":"v"},
		"android":{"ttl":"300s","notification":{"tag":"t"}},"apns":{"headers":{"apns-collapse-id":"c"},"payload":{"aps":{"badge":1}}}}`)
	b.ReportAllocs()
	for b.Loop() {
		message.Check(m)
	}
}

func BenchmarkComplete(b *testing.B) {
	m := tree(b, `{"notification":{"title":"Hi","body":"There"},"data":{"k":"v"}}`)
	d := message.Delivery{ID: "ntf_1", High: true, Deadline: noon().Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		message.Complete(m, d, noon())
	}
}
