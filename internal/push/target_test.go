package push

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetRecipients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target Target
		want   []Recipient
	}{
		{
			"tokens",
			Target{Tokens: []Token{"b", "a"}},
			[]Recipient{{Address: Address{KindToken, "b"}, Line: 1}, {Address: Address{KindToken, "a"}, Line: 2}},
		},
		{"fids", Target{FIDs: []Token{"f"}}, []Recipient{{Address: Address{KindFID, "f"}, Line: 1}}},
		{"users", Target{UserIDs: []string{"u"}}, []Recipient{{UserID: "u", Line: 1}}},
		{"devices", Target{DeviceIDs: []ID{"d"}}, []Recipient{{DeviceID: "d", Line: 1}}},
		{"a topic", Target{Topic: "t"}, []Recipient{{Address: Address{KindTopic, "t"}, Line: 1}}},
		{"a condition", Target{Condition: "c"}, []Recipient{{Address: Address{KindCondition, "c"}, Line: 1}}},
		{"nobody", Target{}, []Recipient{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := c.target.Recipients()
			if diff := cmp.Diff(c.want, got); diff != "" || c.target.Count() != len(c.want) {
				t.Errorf("count %d, recipients (-want +got):\n%s", c.target.Count(), diff)
			}
		})
	}
}
