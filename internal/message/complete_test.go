package message_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/message/messagetest"
)

// noon is the time at which messages go out in these tests.
func noon() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }

// TestComplete has a case of everything that goes out with a message.
func TestComplete(t *testing.T) {
	t.Parallel()
	const silent = `"apns":{"headers":{"apns-collapse-id":"ntf_1","apns-priority":"5"}}`
	soon := noon().Add(5*time.Minute - 20*time.Millisecond) // asked for a moment ago
	for _, c := range []struct {
		name, in string
		delivery message.Delivery
		want     string
	}{
		{
			name: "shown everywhere", in: `{"notification":{"title":"<Hi>"}}`,
			want: `{"android":{"notification":{"tag":"ntf_1"}},"apns":{"headers":{"apns-collapse-id":"ntf_1"}},"data":{"belfry_id":"ntf_1"},
				"notification":{"title":"<Hi>"},"webpush":{"notification":{"tag":"ntf_1"}}}`,
		},
		{name: "data only stays silent", in: `{"data":{"k":"v"}}`, want: `{` + silent + `,"data":{"belfry_id":"ntf_1","k":"v"}}`},
		{
			name: "shown on android only", in: `{"android":{"notification":{"title":"Hi"},"ttl":"1s"},"webpush":{"headers":{"X":"b"}}}`,
			want: `{"android":{"notification":{"tag":"ntf_1","title":"Hi"},"ttl":"1s"},` + silent +
				`,"data":{"belfry_id":"ntf_1"},"webpush":{"headers":{"X":"b"}}}`,
		},
		{
			name: "shown on the web only", in: `{"webpush":{"notification":{"title":"Hi"}}}`,
			want: `{` + silent + `,"data":{"belfry_id":"ntf_1"},"webpush":{"notification":{"tag":"ntf_1","title":"Hi"}}}`,
		},
		{
			name: "the caller's own fields are kept", delivery: message.Delivery{CollapseID: "collapse", High: true, Deadline: soon},
			in: `{"notification":{"title":"Hi"},"android":{"collapse_key":"k","priority":"NORMAL","ttl":"0s","notification":{"tag":"mine"}},
				"apns":{"headers":{"APNs-Collapse-ID":"mine","Apns-Expiration":"0","APNS-PRIORITY":"5"}},
				"webpush":{"headers":{"ttl":"9","urgency":"low"},"notification":{"tag":"mine"}},"data":{"belfry_id":"mine"}}`,
			want: `{"notification":{"title":"Hi"},"android":{"collapse_key":"k","priority":"NORMAL","ttl":"0s","notification":{"tag":"mine"}},
				"apns":{"headers":{"APNs-Collapse-ID":"mine","Apns-Expiration":"0","APNS-PRIORITY":"5"}},
				"webpush":{"headers":{"ttl":"9","urgency":"low"},"notification":{"tag":"mine"}},"data":{"belfry_id":"mine"}}`,
		},
		{
			name: "a collapse id is the tag, the id stays the id", in: `{"notification":{}}`, delivery: message.Delivery{CollapseID: "score-7"},
			want: `{"android":{"notification":{"tag":"score-7"}},"apns":{"headers":{"apns-collapse-id":"score-7"}},"data":{"belfry_id":"ntf_1"},
				"notification":{},"webpush":{"notification":{"tag":"score-7"}}}`,
		},
		{
			name: "a recipient's data go on top", in: `{"data":{"a":"1","b":"1"}}`,
			delivery: message.Delivery{Data: map[string]string{"b": "2", "c": "2"}},
			want:     `{` + silent + `,"data":{"a":"1","b":"2","belfry_id":"ntf_1","c":"2"}}`,
		},
		{
			name: "and into what replaces the common data", in: `{"data":{"a":"1"},"android":{"data":{"a":"2"}},"webpush":{"data":{"w":"1"}}}`,
			delivery: message.Delivery{Data: map[string]string{"a": "3"}},
			want: `{` + silent + `,"data":{"a":"3","belfry_id":"ntf_1"},"android":{"data":{"a":"3","belfry_id":"ntf_1"}},
				"webpush":{"data":{"a":"3","w":"1","belfry_id":"ntf_1"}}}`,
		},
		{
			name: "what is left of the time", in: `{"notification":{"title":"Code 123456"}}`, delivery: message.Delivery{Deadline: soon},
			want: `{"android":{"notification":{"tag":"ntf_1"},"ttl":"300s"},
				"apns":{"headers":{"apns-collapse-id":"ntf_1","apns-expiration":"1795953900"}},
				"data":{"belfry_id":"ntf_1"},"notification":{"title":"Code 123456"},
				"webpush":{"headers":{"TTL":"300"},"notification":{"tag":"ntf_1"}}}`,
		},
		{
			name: "high, shown", in: `{"notification":{"title":"Hi"}}`, delivery: message.Delivery{High: true},
			want: `{"android":{"notification":{"tag":"ntf_1"},"priority":"high"},
				"apns":{"headers":{"apns-collapse-id":"ntf_1","apns-priority":"10"}},
				"data":{"belfry_id":"ntf_1"},"notification":{"title":"Hi"},"webpush":{"headers":{"Urgency":"high"},"notification":{"tag":"ntf_1"}}}`,
		},
		{
			name: "high, data only: wakes Android, and Apple allows no more than 5", in: `{"data":{"k":"v"}}`,
			delivery: message.Delivery{High: true},
			want:     `{"android":{"priority":"high"},` + silent + `,"data":{"belfry_id":"ntf_1","k":"v"},"webpush":{"headers":{"Urgency":"high"}}}`,
		},
		{
			name: "a background push", in: `{"apns":{"payload":{"aps":{"content-available":1}}}}`, delivery: message.Delivery{High: true},
			want: `{"android":{"priority":"high"},
				"apns":{"headers":{"apns-collapse-id":"ntf_1","apns-priority":"5"},"payload":{"aps":{"content-available":1}}},
				"data":{"belfry_id":"ntf_1"},"webpush":{"headers":{"Urgency":"high"}}}`,
		},
		{
			name: "a push type with rules of its own", in: `{"apns":{"headers":{"apns-push-type":"location"}}}`,
			want: `{"apns":{"headers":{"apns-collapse-id":"ntf_1","apns-push-type":"location"}},"data":{"belfry_id":"ntf_1"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.delivery.ID = "ntf_1"
			in := tree(t, c.in)
			got, _ := message.Complete(in, c.delivery, noon())
			if diff := cmp.Diff(tree(t, c.want), got); diff != "" {
				t.Errorf("complete (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tree(t, c.in), in); diff != "" {
				t.Errorf("the message itself was changed:\n%s", diff)
			}
			if faults := message.Check(got); len(faults) > 0 {
				t.Errorf("FCM's rules refuse it: %v", faults)
			}
		})
	}
}

// TestCompleteStaysGood: what Belfry adds never makes a good message a bad one,
// and never changes the one that it was given.
func TestCompleteStaysGood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := messagetest.Draw(t)
		if len(message.Check(m)) > 0 {
			return
		}
		before, err := message.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		d := anyDelivery(t)
		if len(message.Check(d.Override.Apply(m))) > 0 {
			d.Override = message.Override{} // its line is refused at the door
		}
		got, _ := message.Complete(m, d, noon())
		if faults := message.Check(got); len(faults) > 0 {
			t.Fatalf("%s: %v", before, faults)
		}
		if after, err := message.Encode(m); err != nil || string(after) != string(before) {
			t.Fatalf("changed\n%s\ninto\n%s, %v", before, after, err)
		}
	})
}

func anyDelivery(t *rapid.T) message.Delivery {
	d := message.Delivery{ID: "ntf_01890a5d-ac96-774b-bcce-b302099a8057", High: rapid.Bool().Draw(t, "high")}
	d.CollapseID = rapid.SampledFrom([]string{"", "score-7", `q"\`}).Draw(t, "collapse id")
	keys := rapid.SampledFrom([]string{"k", "a", "belfry_id", "größe"})
	values := rapid.SampledFrom([]string{"", "v", "\"\n\x01", "ü🐝"})
	d.Data = rapid.MapOfN(keys, values, 0, 3).Draw(t, "own data")
	if rapid.Bool().Draw(t, "with an override") {
		text := rapid.SampledFrom([]string{"", "v", "ü🐝"})
		d.Override = message.Override{Title: text.Draw(t, "title"), Body: text.Draw(t, "body"), LiveActivityToken: text.Draw(t, "live")}
		if rapid.Bool().Draw(t, "with a badge") {
			d.Override.Badge = new(rapid.Int32Range(0, 100).Draw(t, "badge"))
		}
	}
	if rapid.Bool().Draw(t, "limited") {
		d.Deadline = noon().Add(time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "left")))
	}
	return d
}

func TestSecondsLeft(t *testing.T) {
	t.Parallel()
	const weeks = message.MaxTTL
	for left, want := range map[time.Duration]int64{
		time.Nanosecond: 1, time.Second: 1, time.Second + 1: 2, 5 * time.Minute: 300, 0: 1, -time.Hour: 1,
		weeks * time.Second: weeks, weeks*time.Second + 1: weeks, 400 * 24 * time.Hour: weeks,
	} {
		if got := message.SecondsLeft(noon(), noon().Add(left)); got != want {
			t.Errorf("%v: %d, want %d", left, got, want)
		}
	}
	for left, want := range map[time.Duration]int64{
		time.Nanosecond: 1, time.Second: 1, 90*time.Second + 1: 91, 400 * 24 * time.Hour: weeks,
	} {
		if got := message.Expiration(noon(), noon().Add(left)) - noon().Unix(); got != want {
			t.Errorf("%v: expires after %d, want %d", left, got, want)
		}
	}
}
