package push

import (
	"fmt"
	"strings"
)

// MaxInlineTargets is how many addresses, users or devices one request may
// name; more is a batch.
const MaxInlineTargets = 1000

// Target is whom a notification goes to. Exactly one field is set; a batch has
// none.
type Target struct {
	Tokens    []Token  `json:"tokens,omitempty"`
	FIDs      []Token  `json:"fids,omitempty"`
	UserIDs   []string `json:"user_ids,omitempty"`
	DeviceIDs []ID     `json:"device_ids,omitempty"`
	Topic     string   `json:"topic,omitempty"`
	Condition string   `json:"condition,omitempty"`
}

// Count returns how many sources the target names: tokens, users, devices, or
// 1 for a topic or condition.
func (t *Target) Count() int {
	n := len(t.Tokens) + len(t.FIDs) + len(t.UserIDs) + len(t.DeviceIDs)
	if t.Topic != "" || t.Condition != "" {
		n++
	}
	return n
}

// Recipients returns one unresolved recipient per source, in order.
func (t *Target) Recipients() []Recipient {
	out := make([]Recipient, 0, t.Count())
	for _, v := range t.Tokens {
		out = append(out, Recipient{Address: Address{KindToken, v}})
	}
	for _, v := range t.FIDs {
		out = append(out, Recipient{Address: Address{KindFID, v}})
	}
	for _, u := range t.UserIDs {
		out = append(out, Recipient{UserID: u})
	}
	for _, d := range t.DeviceIDs {
		out = append(out, Recipient{DeviceID: d})
	}
	if t.Topic != "" {
		out = append(out, Recipient{Address: Address{KindTopic, Token(t.Topic)}})
	}
	if t.Condition != "" {
		out = append(out, Recipient{Address: Address{KindCondition, Token(t.Condition)}})
	}
	for i := range out {
		out[i].Line = int64(i) + 1
	}
	return out
}

// Audience reports whether the target is a topic or a condition.
func (t *Target) Audience() bool { return t.Topic != "" || t.Condition != "" }

// CheckDeviceID returns what is wrong with a device id, or "". Callers may
// choose their own ids.
func CheckDeviceID(id string) string {
	const most = 64
	if id == "" || len(id) > most {
		return fmt.Sprintf("must have 1..%d characters (got %d)", most, len(id))
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("._:-", c) < 0 {
			return fmt.Sprintf("must consist of letters, digits and ._:- (byte %d is 0x%02x)", i, c)
		}
	}
	return ""
}
